// Checks of index values. A device's data cannot be read before a kernel runs, but the CPU backend's is host
// memory: an index that leads outside its tensor is refused, not followed.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct EmbeddingForward;
struct EmbeddingBackward;
struct SplitHeadsForward;
struct TreeAttention;
struct LogProbability;
struct KvCompact;
struct TopK;
struct LongestMatch;
struct DraftNodes;
struct SampleTokens;
struct AcceptPath;
struct LinearCrossEntropy;
struct PackedAttentionForward;
struct PackedAttentionBackward;
struct NoiseTokens;

void check_indexes(const EmbeddingForward& args);
void check_indexes(const EmbeddingBackward& args);
void check_indexes(const SplitHeadsForward& args);
void check_indexes(const TreeAttention& args);
void check_indexes(const LogProbability& args);
void check_indexes(const KvCompact& args);
void check_indexes(const TopK& args);
void check_indexes(const LongestMatch& args);
void check_indexes(const DraftNodes& args);
void check_indexes(const SampleTokens& args);
void check_indexes(const AcceptPath& args);
void check_indexes(const LinearCrossEntropy& args);
void check_indexes(const PackedAttentionForward& args);
void check_indexes(const PackedAttentionBackward& args);
void check_indexes(const NoiseTokens& args);
// Every other operation has no indexes, or its kernel checks them itself.
template <class Args>
void check_indexes(const Args&) {}

}  // namespace msn
