// Single forward passes for tests and benches.
#include "runtime/passes.h"

#include <algorithm>
#include <string>

#include "base/stopwatch.h"
#include "model/kv_cache.h"
#include "model/transformer.h"
#include "runtime/prefill.h"
#include "runtime/request_checks.h"

namespace msn {
namespace {

void check_length(int64_t positions, const ModelShape& shape) {
  if (positions > shape.context_length)
    throw Error(ErrorCode::kInvalidArgument,
                "expected prefix and nodes within the context length " +
                    std::to_string(shape.context_length) + ", received " + std::to_string(positions) +
                    " positions",
                "nodes");
}

void check_request(const PassRequest& request, const ModelShape& shape) {
  check_token_ids("prefix", request.prefix, shape);
  check_token_ids("tokens", request.tokens, shape);
  if (request.tokens.empty())
    throw Error(ErrorCode::kInvalidArgument, "expected at least one token, received none", "tokens");
  if (request.parents.size() != request.tokens.size())
    throw Error(ErrorCode::kInvalidArgument,
                "expected one parent for each of " + std::to_string(request.tokens.size()) +
                    " tokens, received " + std::to_string(request.parents.size()),
                "parents");
  for (size_t node = 0; node < request.parents.size(); ++node)
    if (request.parents[node] < -1 || request.parents[node] >= static_cast<int64_t>(node))
      throw Error(ErrorCode::kInvalidArgument,
                  "expected an earlier node or -1, received " + std::to_string(request.parents[node]) +
                      " at index " + std::to_string(node),
                  "parents");
  check_length(static_cast<int64_t>(request.prefix.size() + request.tokens.size()), shape);
}

}  // namespace

std::vector<float> pass_logits(const Model& model, const PassRequest& request, const CancelToken& cancel) {
  check_request(request, model.shape());
  const int64_t nodes = static_cast<int64_t>(request.tokens.size());
  const int64_t prefix = static_cast<int64_t>(request.prefix.size());
  const int64_t chunk = std::clamp<int64_t>(request.chunk, 1, std::max<int64_t>(prefix, 1));
  KvCache cache(model.backend(), model.shape());
  cache.reserve(prefix + nodes);
  Transformer transformer(model, std::max(nodes, chunk), nodes);
  prefill(transformer, cache, request.prefix, chunk, cancel);
  cancel.throw_if_cancelled();
  transformer.forward({request.tokens, request.parents}, cache);
  const Tensor& logits = transformer.logits(0, nodes);
  std::vector<float> result(static_cast<size_t>(logits.elements()));
  model.backend().copy_to_host(result.data(), logits.data, logits.bytes());
  return result;
}

std::vector<double> time_passes(const Model& model, const PassTiming& timing, const CancelToken& cancel) {
  check_length(timing.prefix + timing.nodes, model.shape());
  const int64_t chunk = prefill_chunk(model.backend(), static_cast<size_t>(timing.prefix));
  std::vector<int32_t> tokens(static_cast<size_t>(timing.prefix + timing.nodes));
  for (size_t index = 0; index < tokens.size(); ++index)
    tokens[index] = static_cast<int32_t>(index % static_cast<size_t>(model.shape().vocabulary_size));
  const std::span<const int32_t> all(tokens);
  const std::vector<int32_t> parents = chain_parents(timing.nodes);
  KvCache cache(model.backend(), model.shape());
  cache.reserve(timing.prefix + timing.nodes);
  Transformer transformer(model, std::max(timing.nodes, chunk), timing.nodes);
  prefill(transformer, cache, all.first(static_cast<size_t>(timing.prefix)), chunk, cancel);

  Backend& backend = model.backend();
  const DeviceNodes nodes =
      transformer.load({all.subspan(static_cast<size_t>(timing.prefix)), parents}, cache);
  const auto pass = [&] {
    transformer.enqueue(nodes, cache);
    if (timing.with_logits) transformer.logits(0, timing.nodes);
  };
  const std::unique_ptr<Recording> recording = backend.traits().replays ? backend.capture(pass) : nullptr;
  backend.synchronize();
  std::vector<double> milliseconds;
  for (int64_t repeat = 0; repeat < timing.repeats; ++repeat) {
    cancel.throw_if_cancelled();
    const Stopwatch stopwatch;
    if (recording)
      recording->replay();
    else
      pass();
    backend.synchronize();
    milliseconds.push_back(stopwatch.milliseconds());
  }
  return milliseconds;
}

}  // namespace msn
