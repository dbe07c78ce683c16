// One forward pass a chunk.
#include "runtime/prefill.h"

#include <algorithm>
#include <numeric>

namespace msn {

int64_t prefill_chunk(const Backend& backend, size_t tokens) {
  return std::clamp<int64_t>(static_cast<int64_t>(tokens), 1, backend.traits().prefill_chunk);
}

std::vector<int32_t> chain_parents(int64_t nodes) {
  std::vector<int32_t> parents(nodes);
  std::iota(parents.begin(), parents.end(), -1);
  return parents;
}

void prefill(Transformer& transformer, KvCache& cache, std::span<const int32_t> tokens, int64_t chunk,
             const CancelToken& cancel, const std::function<void(int64_t, int64_t)>& visit) {
  const std::vector<int32_t> parents = chain_parents(chunk);
  cache.reserve(cache.length() + static_cast<int64_t>(tokens.size()));
  for (size_t first = 0; first < tokens.size(); first += chunk) {
    cancel.throw_if_cancelled();
    const size_t count = std::min<size_t>(chunk, tokens.size() - first);
    transformer.forward({.tokens = tokens.subspan(first, count),
                         .parents = std::span(parents).first(count),
                         .fixed_order = false},
                        cache);
    if (visit) visit(static_cast<int64_t>(first), static_cast<int64_t>(count));
    cache.set_length(cache.length() + static_cast<int64_t>(count));
  }
}

}  // namespace msn
