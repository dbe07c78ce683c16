// AdamW (arXiv 1711.05101) with the gradient scaled first: g = gradient_scale * gradient.
#pragma once
#include "ops/tensor.h"

namespace msn {

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  w -= lr * decay * w;
// w -= lr * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
struct AdamW {
  Tensor weight;         // f32 [n], updated
  Tensor gradient;       // f32 [n]
  Tensor first_moment;   // f32 [n], updated
  Tensor second_moment;  // f32 [n], updated
  double learning_rate = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double gradient_scale = 1;  // clipping
  int64_t step = 1;           // from 1
};
void check(const AdamW& args);

}  // namespace msn
