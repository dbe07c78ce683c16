// Known tokens on their way into the cache: a chain in chunks, between which the work can be aborted.
#pragma once
#include <functional>
#include <span>

#include "base/cancel.h"
#include "model/kv_cache.h"
#include "model/transformer.h"

namespace msn {

// Enough rows to read the weights rarely, few enough for a small workspace and a quick abort. What a position
// computes does not depend on it (docs/exactness.md).
constexpr int64_t kPrefillChunk = 256;

// Appends `tokens` to the cache in chunks of at most transformer.max_nodes() and kPrefillChunk tokens. After
// each, `visit` (may be empty) is told the index of its first token and its size while its hidden states are
// there.
void prefill(Transformer& transformer, KvCache& cache, std::span<const int32_t> tokens,
             const CancelToken& cancel, const std::function<void(int64_t first, int64_t count)>& visit = {});

// Parents of a chain of nodes that follows the cache: -1, 0, 1, ...
std::vector<int32_t> chain_parents(int64_t nodes);

}  // namespace msn
