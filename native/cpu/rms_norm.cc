// x = input + addend, y = weight * (x * 1 / sqrt(mean(x^2) + epsilon)), one row at a time.
#include "ops/rms_norm.h"

#include "cpu/kernels.h"
#include "cpu/row_norm.h"

namespace msn::cpu::MSN_ISA {
namespace {

void add(const float* a, const float* b, float* sum, int64_t width) {
  for (int64_t i = 0; i < width; i += Vector::kWidth) {
    const int64_t left = width - i;
    const int count = left < Vector::kWidth ? static_cast<int>(left) : Vector::kWidth;
    (Vector::load_partial(a + i, count) + Vector::load_partial(b + i, count)).store_partial(sum + i, count);
  }
}

}  // namespace

void run(Context& context, const RmsNormForward& args) {
  const int64_t rows = args.input.shape[0];
  const int64_t width = args.input.shape[1];
  const float* weight = args.weight.f32();
  context.parallel_for(rows, rows * width, [&](int64_t row, int) {
    const float* x = args.input.f32() + row * width;
    if (args.addend) {
      float* sum = args.sum.mutable_f32() + row * width;
      add(x, args.addend.f32() + row * width, sum, width);
      x = sum;
    }
    float* y = args.output.mutable_f32() + row * width;
    const float inverse_rms = inverse_root_mean_square(x, width, args.epsilon);
    if (args.inverse_rms) args.inverse_rms.mutable_f32()[row] = inverse_rms;
    const Vector scale = Vector::broadcast(inverse_rms);
    for (int64_t i = 0; i < width; i += Vector::kWidth) {
      const int64_t left = width - i;
      const int count = left < Vector::kWidth ? static_cast<int>(left) : Vector::kWidth;
      const Vector value =
          Vector::load_partial(x + i, count) * scale * Vector::load_partial(weight + i, count);
      value.store_partial(y + i, count);
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
