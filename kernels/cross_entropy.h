// Next-token cross-entropy of rows of logits, and the gradient of the logits.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

struct CrossEntropy {
  const float* logits;     // [rows, vocabulary]
  const int32_t* targets;  // [rows]; negative: no loss
  float* losses;           // [rows]: -log p(target); 0 where there is no loss
  int32_t* predictions;   // [rows] or null: the highest logit's index, the lowest on a tie; -1 where there is
                          // no loss
  Bf16* logits_gradient;  // [rows, vocabulary] or null: gradient_scale * (p - one_hot(target)); 0 where there
                          // is no loss
  float gradient_scale;
  int64_t rows;
  int64_t vocabulary;  // at most 2^31 - 1
};
Status cross_entropy(const CrossEntropy& args, const Launch& where);

}  // namespace msn::kernels
