// Output head and next-token cross-entropy in one, a chunk of rows at a time, so that the logits of a whole
// batch never exist.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct LinearCrossEntropy {
  Tensor hidden;             // activations [rows, hidden], after the final norm
  Tensor head;               // activations [vocabulary, hidden]
  Tensor targets;            // i32 [rows]: the token that row i predicts; negative: no loss
  float gradient_scale = 0;  // what one row's loss weighs in the gradients (1 / loss tokens of the step)
  Tensor losses;             // f32 [rows]: -log p(target); 0 where there is no loss
  Tensor
      predictions;  // i32 [rows] or none: argmax of the logits, lowest id on a tie; -1 where there is no loss
  Tensor hidden_gradient;  // activations [rows, hidden], overwritten; none: forward only
  Tensor head_gradient;    // f32 [vocabulary, hidden], added to
};
void check(const LinearCrossEntropy& args, Dtype activations = Dtype::kF32);

}  // namespace msn
