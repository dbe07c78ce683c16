// output = gate / (1 + exp(-gate)) * up, element by element.
#include "ops/swiglu.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kWorkOfElement = 4;  // in product-sums

}  // namespace

void run(Context& context, const SwiGluForward& args) {
  const int64_t rows = args.output.shape[0];
  const int64_t inner = args.output.shape[1];
  context.parallel_for(rows, rows * inner * kWorkOfElement, [&](int64_t row, int) {
    const float* gates = args.gate_up.f32() + row * 2 * inner;
    const float* ups = gates + inner;
    float* output = args.output.mutable_f32() + row * inner;
    for (int64_t i = 0; i < inner; i += Vector::kWidth) {
      const int count = inner - i < Vector::kWidth ? static_cast<int>(inner - i) : Vector::kWidth;
      const Vector gate = Vector::load_partial(gates + i, count);
      const Vector silu = gate / (Vector::broadcast(1.0f) + exponential(Vector::zero() - gate));
      (silu * Vector::load_partial(ups + i, count)).store_partial(output + i, count);
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
