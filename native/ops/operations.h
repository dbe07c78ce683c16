// The argument structs of all operations, declared: for those who pass them on without looking inside.
#pragma once

namespace msn {

struct EmbeddingForward;
struct EmbeddingBackward;
struct RmsNormForward;
struct RmsNormBackward;
struct RotaryTable;
struct SplitHeadsForward;
struct SplitHeadsBackward;
struct TreeAttention;
struct LinearForward;
struct SwiGluForward;
struct SwiGluBackward;
struct MatrixProduct;
struct ColumnSum;
struct PackedAttentionForward;
struct PackedAttentionBackward;
struct LinearCrossEntropy;
struct LogProbability;
struct TopK;
struct KvCompact;
struct LongestMatch;
struct DraftNodes;
struct SampleTokens;
struct AcceptPath;
struct AdamW;
struct SquaredNorm;
struct NoiseTokens;

}  // namespace msn
