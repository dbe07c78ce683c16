// AdamW (arXiv 1711.05101) with the gradient scaled first: g = gradient_scale * gradient.
#pragma once
#include "ops/tensor.h"

namespace msn {

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  w -= lr * decay * w;
// w -= lr * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
// 8-bit moments: one scale a block, see base/moment_codes.h (arXiv 2110.02861).
constexpr int64_t kMomentBlock = 256;

struct AdamW {
  Tensor weight;             // f32 [n], updated
  Tensor gradient;           // f32 [n]
  Tensor rounded = {};       // activations [n] or none: the new weight, for products
  Tensor first_moment;       // f32 [n], updated; or u8 [n], codes of blocks of kMomentBlock
  Tensor second_moment;      // likewise
  Tensor first_scale = {};   // f32 [ceil(n / kMomentBlock)], updated; none for f32 moments
  Tensor second_scale = {};  // likewise
  double learning_rate = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double gradient_scale = 1;  // clipping
  int64_t step = 1;           // from 1
};
void check(const AdamW& args, Dtype activations = Dtype::kF32);

}  // namespace msn
