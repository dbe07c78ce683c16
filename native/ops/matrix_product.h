// General f32 matrix product for training: c = op(a) * op(b) (+ c), where op transposes or not.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct MatrixProduct {
  Tensor a;  // f32 [m, k], or [k, m] with transpose_a
  bool transpose_a = false;
  Tensor b;  // f32 [k, n], or [n, k] with transpose_b
  bool transpose_b = false;
  Tensor bias;  // f32 [n] or none, added to every row
  Tensor c;     // f32 [m, n]
  bool accumulate = false;
};
void check(const MatrixProduct& args);

// bias_gradient[j] += sum over rows of gradient[i][j], rows ascending.
struct ColumnSum {
  Tensor input;   // f32 [rows, width]
  Tensor output;  // f32 [width], added to
};
void check(const ColumnSum& args);

}  // namespace msn
