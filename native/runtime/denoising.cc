// Jacobi iteration on one segment, and teacher forcing over a whole text.
#include "runtime/denoising.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/philox.h"
#include "ops/log_probability.h"
#include "ops/top_k.h"
#include "runtime/prefill.h"
#include "runtime/request_checks.h"

namespace msn {
namespace {

constexpr int64_t kLongestSegment = 1024;
// Logits of a chunk of `score` take rows * vocabulary floats.
constexpr int64_t kScoreRows = 32;

std::vector<int32_t> initial_segment(const DenoisingRequest& request) {
  if (!request.noisy.empty()) return request.noisy;
  const uint32_t prefix = static_cast<uint32_t>(request.prefix.size());
  std::vector<int32_t> segment(request.noise_length);
  for (size_t i = 0; i < segment.size(); ++i)
    segment[i] =
        request.prefix[RandomDraw(request.noise_seed, RandomStream::kDenoiseStart, static_cast<uint32_t>(i))
                           .bounded(prefix)];
  return segment;
}

void check_request(const DenoisingRequest& request, const ModelShape& shape) {
  check_token_count("prefix", request.prefix, shape.context_length - 1,
                    "one less than the context length " + std::to_string(shape.context_length));
  check_token_ids("prefix", request.prefix, shape);
  check_integer("maxIterations", request.max_iterations, 0, std::numeric_limits<int32_t>::max());
  const int64_t room =
      std::min(kLongestSegment, shape.context_length - static_cast<int64_t>(request.prefix.size()));
  if (request.noisy.empty())
    check_integer("noise.length", request.noise_length, 1, room);
  else
    check_token_count("noisy", request.noisy, room, "what the context leaves behind the prefix");
  check_token_ids("noisy", request.noisy, shape);
}

// Passes over the segment behind a prefix whose last token is the first node: node i sees the tokens before
// segment[i] and predicts it.
class Segment {
 public:
  Segment(const Model& model, const DenoisingRequest& request, int64_t length, const CancelToken& cancel)
      : model_(model),
        last_prefix_token_(request.prefix.back()),
        parents_(chain_parents(length)),
        transformer_(model, std::max(length, prefill_chunk(model.backend(), request.prefix.size())), length),
        cache_(model.backend(), model.shape()),
        memory_(model.backend()),
        nodes_(length) {
    memory_.plan(&best_, Dtype::kI32, {length, 1});
    memory_.plan(&log_probabilities_, Dtype::kF32, {length});
    memory_.commit();
    prefill(transformer_, cache_, std::span(request.prefix).first(request.prefix.size() - 1),
            prefill_chunk(model.backend(), request.prefix.size()), cancel);
  }

  // One pass: the model's token at every place of the segment.
  std::vector<int32_t> next(const std::vector<int32_t>& segment) {
    nodes_[0] = last_prefix_token_;
    std::copy(segment.begin(), segment.end() - 1, nodes_.begin() + 1);
    transformer_.forward({nodes_, parents_}, cache_);
    return best(static_cast<int64_t>(segment.size()));
  }

  // Of the tokens that the last pass chose.
  std::vector<float> probabilities() {
    const int64_t length = best_.shape[0];
    model_.backend().run(LogProbability{.logits = transformer_.logits(0, length),
                                        .targets = Tensor(best_.data, Dtype::kI32, {length}),
                                        .output = log_probabilities_});
    std::vector<float> values(length);
    model_.backend().copy_to_host(values.data(), log_probabilities_.data, log_probabilities_.bytes());
    for (float& value : values) value = std::exp(value);
    return values;
  }

  // How many of `tokens` greedy decoding, one token a step, would write.
  int64_t matched(const std::vector<int32_t>& tokens, const CancelToken& cancel) {
    int32_t root = last_prefix_token_;
    int64_t count = 0;
    for (; count < static_cast<int64_t>(tokens.size()); ++count) {
      cancel.throw_if_cancelled();
      transformer_.forward({std::span(&root, 1), std::span(parents_).first(1)}, cache_);
      root = best(1).front();
      if (root != tokens[count]) break;
      cache_.set_length(cache_.length() + 1);
    }
    return count;
  }

 private:
  std::vector<int32_t> best(int64_t rows) {
    const Tensor indices(best_.data, Dtype::kI32, {rows, 1});
    model_.backend().run(TopK{.logits = transformer_.logits(0, rows), .indices = indices, .values = {}});
    std::vector<int32_t> tokens(rows);
    model_.backend().copy_to_host(tokens.data(), indices.data, indices.bytes());
    return tokens;
  }

  const Model& model_;
  const int32_t last_prefix_token_;
  const std::vector<int32_t> parents_;
  Transformer transformer_;
  KvCache cache_;
  Workspace memory_;
  Tensor best_;               // i32 [length, 1]
  Tensor log_probabilities_;  // f32 [length]
  std::vector<int32_t> nodes_;
};

}  // namespace

DenoisingResult denoise(const Model& model, const DenoisingRequest& request, const CancelToken& cancel) {
  check_request(request, model.shape());
  DenoisingResult result;
  result.tokens = initial_segment(request);
  result.trajectory.push_back(result.tokens);
  Segment segment(model, request, static_cast<int64_t>(result.tokens.size()), cancel);
  while (!result.fixed_point && (request.max_iterations == 0 || result.iterations < request.max_iterations)) {
    cancel.throw_if_cancelled();
    std::vector<int32_t> next = segment.next(result.tokens);
    ++result.iterations;
    result.fixed_point = next == result.tokens;
    result.tokens = std::move(next);
    result.trajectory.push_back(result.tokens);
  }
  result.probabilities = segment.probabilities();
  result.matched = segment.matched(result.tokens, cancel);
  return result;
}

std::vector<float> score(const Model& model, const std::vector<int32_t>& tokens, const CancelToken& cancel) {
  const ModelShape& shape = model.shape();
  check_token_count("tokens", tokens, shape.context_length, "the context length");
  check_token_ids("tokens", tokens, shape);
  const int64_t predicted = static_cast<int64_t>(tokens.size()) - 1;
  std::vector<float> result(predicted);
  if (predicted == 0) return result;

  Backend& backend = model.backend();
  const int64_t chunk = prefill_chunk(backend, predicted);
  Transformer transformer(model, chunk, std::min(predicted, kScoreRows));
  KvCache cache(backend, shape);
  Workspace memory(backend);
  Tensor targets, output;  // i32 and f32 [kScoreRows]
  memory.plan(&targets, Dtype::kI32, {kScoreRows});
  memory.plan(&output, Dtype::kF32, {kScoreRows});
  memory.commit();
  prefill(transformer, cache, std::span(tokens).first(predicted), chunk, cancel,
          [&](int64_t first, int64_t count) {
            for (int64_t row = 0; row < count; row += kScoreRows) {
              const int64_t rows = std::min(kScoreRows, count - row);
              targets.shape[0] = output.shape[0] = rows;
              backend.copy_from_host(targets.data, tokens.data() + first + row + 1, targets.bytes());
              backend.run(LogProbability{
                  .logits = transformer.logits(row, rows), .targets = targets, .output = output});
              backend.copy_to_host(result.data() + first + row, output.data, output.bytes());
            }
          });
  return result;
}

}  // namespace msn
