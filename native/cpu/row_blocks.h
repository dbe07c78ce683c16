// Gradients of vectors that every row adds to (norm weights): each block of rows sums into a partial of its
// own, and the partials are added in order, so that the result does not depend on the threads.
#pragma once
#include "cpu/context.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

constexpr int64_t kRowBlock = 32;

// body(first_row, end_row, partial): adds what those rows give to partial[width], zeroed before.
// Then total[j] += partials in the order of the rows.
template <class Body>
void sum_over_row_blocks(Context& context, int64_t rows, int64_t width, float* total, const Body& body) {
  const int64_t blocks = (rows + kRowBlock - 1) / kRowBlock, threads = context.pool.threads();
  const int64_t bytes = (blocks * width * 4 + threads - 1) / threads;
  float* partials = reinterpret_cast<float*>(context.scratch(bytes));  // [blocks, width]
  context.pool.parallel_for(blocks, [&](int64_t block, int) {
    float* partial = partials + block * width;
    for (int64_t column = 0; column < width; ++column) partial[column] = 0.0f;
    const int64_t first = block * kRowBlock;
    body(first, first + kRowBlock < rows ? first + kRowBlock : rows, partial);
  });
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < width; ++column) total[column] += partials[block * width + column];
}

// Gradient of one row of y = weight * x * inverse_rms, inverse_rms = 1 / sqrt(mean(x^2) + epsilon):
//   x_gradient = inverse_rms (weight g - x inverse_rms^2 mean(weight g x));  weight_gradient += g x
//   inverse_rms
// x_gradient is added to, or overwritten, and may then be g. All of [width].
inline void rms_norm_row_backward(const float* x, const float* weight, const float* g, float inverse_rms,
                                  int64_t width, bool overwrite, float* x_gradient, float* weight_gradient) {
  const Vector inverse = Vector::broadcast(inverse_rms);
  const auto read = [](const float* from, int64_t left) {
    return left >= Vector::kWidth ? Vector::load(from) : Vector::load_partial(from, static_cast<int>(left));
  };
  const auto write = [](Vector value, float* to, int64_t left) {
    if (left >= Vector::kWidth)
      value.store(to);
    else
      value.store_partial(to, static_cast<int>(left));
  };
  Vector sum = Vector::zero();
  for (int64_t i = 0; i < width; i += Vector::kWidth) {
    const int64_t left = width - i;
    const Vector product = read(g + i, left) * read(x + i, left);
    sum = fma(product, read(weight + i, left), sum);
    write(fma(product, inverse, read(weight_gradient + i, left)), weight_gradient + i, left);
  }
  const float mean = sum_lanes(sum) / static_cast<float>(width);
  const Vector pull = Vector::broadcast(inverse_rms * inverse_rms * mean);
  for (int64_t i = 0; i < width; i += Vector::kWidth) {
    const int64_t left = width - i;
    const Vector value = (read(weight + i, left) * read(g + i, left) - read(x + i, left) * pull) * inverse;
    write(overwrite ? value : read(x_gradient + i, left) + value, x_gradient + i, left);
  }
}

}  // namespace msn::cpu::MSN_ISA
