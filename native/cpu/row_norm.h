// The root mean square of one row, as RMSNorm and the query/key norm take it.
#pragma once
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

// 1 / sqrt(mean(x^2) + epsilon). The order of the sum depends on the width alone.
inline float inverse_root_mean_square(const float* x, int64_t width, float epsilon) {
  Vector sums[4] = {Vector::zero(), Vector::zero(), Vector::zero(), Vector::zero()};
  int64_t i = 0;
  for (; i + 4 * Vector::kWidth <= width; i += 4 * Vector::kWidth) {
    for (int part = 0; part < 4; ++part) {
      const Vector value = Vector::load(x + i + part * Vector::kWidth);
      sums[part] = fma(value, value, sums[part]);
    }
  }
  for (; i < width; i += Vector::kWidth) {
    const int64_t left = width - i;
    const Vector value =
        Vector::load_partial(x + i, left < Vector::kWidth ? static_cast<int>(left) : Vector::kWidth);
    sums[0] = fma(value, value, sums[0]);
  }
  const float sum = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  return 1.0f / __builtin_sqrtf(sum / static_cast<float>(width) + epsilon);
}

}  // namespace msn::cpu::MSN_ISA
