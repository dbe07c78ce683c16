// Jacobi iteration on a noisy segment behind a prefix: what noisy training taught, made visible.
#pragma once
#include <cstdint>
#include <vector>

#include "base/cancel.h"
#include "model/model.h"

namespace msn {

struct DenoisingRequest {
  std::vector<int32_t> prefix;  // at least one token
  std::vector<int32_t> noisy;   // the segment to begin with; empty: noise_length random prefix tokens
  int32_t noise_length = 5;
  uint64_t noise_seed = 0;
  int64_t max_iterations = 0;  // 0: until the segment maps to itself
};

struct DenoisingResult {
  std::vector<int32_t> tokens;                   // the segment after the last pass
  std::vector<std::vector<int32_t>> trajectory;  // the first noise, then the segment after each pass
  int64_t iterations = 0;  // passes; the last one found nothing to change at a fixed point
  bool fixed_point = false;
  int64_t matched = 0;  // length of the prefix of `tokens` equal to greedy autoregressive decoding
  std::vector<float> probabilities;  // of each token of `tokens` in the last pass
};

DenoisingResult denoise(const Model& model, const DenoisingRequest& request, const CancelToken& cancel);

// log p(tokens[i] | tokens[0..i)) for i = 1 .. n-1: f32 [n - 1].
std::vector<float> score(const Model& model, const std::vector<int32_t>& tokens, const CancelToken& cancel);

}  // namespace msn
