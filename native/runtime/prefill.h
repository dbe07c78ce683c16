// Known tokens on their way into the cache: a chain in chunks, between which the work can be aborted.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "model/kv_cache.h"
#include "model/transformer.h"

namespace msn {

// The chunk for so many tokens, at least 1: enough rows to read the weights rarely, few enough for a small
// workspace and a quick abort.
int64_t prefill_chunk(const Backend& backend, size_t tokens);

// Appends `tokens` to the cache in chunks of at most `chunk` tokens (transformer.max_nodes() is room for
// them). After each, `visit` (may be empty) is told the index of its first token and its size while its
// hidden states are there. The products may sum in any order: every decoding method shares the prefill.
void prefill(Transformer& transformer, KvCache& cache, std::span<const int32_t> tokens, int64_t chunk,
             const CancelToken& cancel, const std::function<void(int64_t first, int64_t count)>& visit = {});

// Parents of a chain of nodes that follows the cache: -1, 0, 1, ...
std::vector<int32_t> chain_parents(int64_t nodes);

}  // namespace msn
