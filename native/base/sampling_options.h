// How a token is drawn from a row of logits (docs/method.md).
#pragma once
#include <cstdint>

namespace msn {

struct SamplingOptions {
  double temperature = 0;         // 0: greedy, the highest logit, the lower id on a tie
  int32_t top_k = 0;              // 0: all
  double top_p = 1;               // above 0, at most 1
  double min_p = 0;               // 0 .. 1
  double repetition_penalty = 1;  // above 0; counts the known tokens and those of the node's path
  uint64_t seed = 0;
};

}  // namespace msn
