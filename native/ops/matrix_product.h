// General matrix product for training, f32 sums: c = op(a) * op(b) (+ c), where op transposes or not.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct MatrixProduct {
  Tensor a;  // activations [m, k], or [k, m] with transpose_a
  bool transpose_a = false;
  Tensor b;  // activations [k, n], or [n, k] with transpose_b
  bool transpose_b = false;
  Tensor bias;  // f32 [n] or none, added to every row
  Tensor c;     // activations or f32 [m, n]; f32 to accumulate
  bool accumulate = false;
};
void check(const MatrixProduct& args, Dtype activations = Dtype::kF32);

// bias_gradient[j] += sum over rows of gradient[i][j], rows ascending.
struct ColumnSum {
  Tensor input;   // activations [rows, width]
  Tensor output;  // f32 [width], added to
};
void check(const ColumnSum& args, Dtype activations = Dtype::kF32);

}  // namespace msn
