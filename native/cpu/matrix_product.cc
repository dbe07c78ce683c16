// c = op(a) * op(b) (+ bias, + c) on all threads, and the column sum of a bias gradient.
#include "ops/matrix_product.h"

#include "cpu/kernels.h"
#include "cpu/product.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const MatrixProduct& args) {
  Product product;
  product.m = args.c.shape[0];
  product.n = args.c.shape[1];
  product.k = args.a.shape[args.transpose_a ? 0 : 1];
  product.a = {args.a.f32(), args.transpose_a ? 1 : product.k, args.transpose_a ? product.m : 1};
  product.b = {args.b.f32(), args.transpose_b ? 1 : product.n, args.transpose_b ? product.k : 1};
  product.c = args.c.mutable_f32();
  product.c_stride = product.n;
  product.bias = args.bias ? args.bias.f32() : nullptr;
  product.accumulate = args.accumulate;
  if (product.m == 0 || product.n == 0) return;
  std::byte* scratch = context.scratch(kProductScratchBytes);
  multiply(context, product, scratch, context.scratch_stride());
}

// output[j] += sum over i of input[i, j]; one task owns a strip of columns and adds its rows in order.
void run(Context& context, const ColumnSum& args) {
  constexpr int64_t kStrip = 4 * Vector::kWidth;
  const int64_t rows = args.input.shape[0], width = args.input.shape[1];
  const float* input = args.input.f32();
  float* output = args.output.mutable_f32();
  context.pool.parallel_for((width + kStrip - 1) / kStrip, [=](int64_t strip, int) {
    const int64_t first = strip * kStrip;
    const int64_t columns = width - first < kStrip ? width - first : kStrip;
    float sums[kStrip] = {};
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        sums[column] += input[row * width + first + column];
    for (int64_t column = 0; column < columns; ++column) output[first + column] += sums[column];
  });
}

}  // namespace msn::cpu::MSN_ISA
