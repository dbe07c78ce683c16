// The model's token behind each node of a tree: repetition penalty, temperature, top-k, top-p, min-p and the
// draw (docs/method.md). Sums run in fixed point (base/sampling.h), so that every engine draws the same.
#pragma once
#include "base/sampling_options.h"
#include "ops/tensor.h"

namespace msn {

constexpr int64_t kLargestVocabulary = int64_t{1} << 22;

struct SampleTokens {
  Tensor logits;       // f32 [nodes, vocabulary]; NaN counts as minus infinity
  Tensor tokens;       // i32 [nodes]
  Tensor parents;      // i32 [nodes]: an earlier node; -1 for a root
  Tensor depths;       // i32 [nodes]: 0 for a root
  Tensor known_count;  // i32 [1]: the token drawn behind a node has index known_count + depth in the text
  Tensor is_known;     // u8 [vocabulary]: 1 for the tokens known so far; read where there is a penalty
  Tensor options;      // u8 [sizeof(SamplingOptions)]
  Tensor choices;      // i32 [nodes]
};
void check(const SampleTokens& args);

}  // namespace msn
