// The model's token behind each node of a tree: repetition penalty, temperature, top-k, top-p, min-p and the
// draw (docs/method.md). Sums run in fixed point (base/sampling.h), so that every engine draws the same.
#pragma once
#include "ops/tensor.h"

namespace msn {

constexpr int64_t kLargestVocabulary = int64_t{1} << 22;

struct SampleTokens {
  Tensor logits;           // f32 [nodes, vocabulary]; NaN counts as minus infinity
  Tensor tokens;           // i32 [nodes]
  Tensor parents;          // i32 [nodes]: an earlier node; -1 for a root
  Tensor depths;           // i32 [nodes]: 0 for a root
  Tensor known_count;      // i32 [1]: the token drawn behind a node has index known_count + depth in the text
  Tensor is_known = {};    // u8 [vocabulary] or none without a penalty: 1 for the tokens known so far
  double temperature = 0;  // 0: the highest logit, the lower id on a tie
  int32_t top_k = 0;       // 0: all
  double top_p = 1;        // above 0, at most 1
  double min_p = 0;        // 0 .. 1
  double repetition_penalty = 1;  // above 0; counts the known tokens and those of the node's path
  uint64_t seed = 0;
  Tensor choices;  // i32 [nodes]
};
void check(const SampleTokens& args);

}  // namespace msn
