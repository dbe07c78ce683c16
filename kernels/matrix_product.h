// The general matrix product of training and of a long prefill, where no library serves: c = op(a) * op(b)
// (+ bias) (+ c), bf16 operands, f32 sums. And the sum over the rows of a matrix.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

// Strides are elements from one row of a stored matrix to the next; at least its width. Where a and b and
// their strides are aligned to 16 bytes, operands are copied 16 bytes at a time.
struct MatrixProduct {
  const Bf16* a;      // [m, k], or [k, m] with transpose_a
  const Bf16* b;      // [k, n], or [n, k] with transpose_b
  const float* bias;  // [n] or null, added to every row
  Bf16* c;            // [m, n], or null with c_f32
  float* c_f32;       // [m, n], or null
  bool transpose_a;
  bool transpose_b;
  bool accumulate;  // c_f32 += instead of =
  int64_t m;        // these three below 2^31
  int64_t n;
  int64_t k;
  int64_t a_stride;
  int64_t b_stride;
  int64_t c_stride;
};
Status matrix_product(const MatrixProduct& args, const Launch& where);

// output[column] += sum over the rows of input[row][column], in one order.
struct ColumnSum {
  const Bf16* input;  // [rows, width]
  float* output;      // [width]
  int64_t rows;
  int64_t width;
};
Status column_sum(const ColumnSum& args, const Launch& where);

}  // namespace msn::kernels
