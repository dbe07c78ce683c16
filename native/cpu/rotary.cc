// table[row] = cos(position * f_i) for i < head_dim / 2, then sin(position * f_i); computed in double.
#include "ops/rotary.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kWorkOfAngle = 64;  // a sine and a cosine in double, in product-sums

}  // namespace

void run(Context& context, const RotaryTable& args) {
  const int64_t rows = args.positions.shape[0];
  const int64_t half = args.inverse_frequencies.shape[0];
  const double* frequencies = args.inverse_frequencies.as<const double>();
  context.parallel_for(rows, rows * half * kWorkOfAngle, [&](int64_t row, int) {
    float* table = args.table.mutable_f32() + row * 2 * half;
    const double position = args.positions.i32()[row];
    for (int64_t i = 0; i < half; ++i) {
      const double angle = position * frequencies[i];
      table[i] = static_cast<float>(__builtin_cos(angle));
      table[half + i] = static_cast<float>(__builtin_sin(angle));
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
