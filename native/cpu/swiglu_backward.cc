// Gradient of silu(gate) * up. With s = 1 / (1 + exp(-gate)):
//   up_gradient = g gate s;   gate_gradient = g up s (1 + gate (1 - s))
#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "ops/swiglu.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const SwiGluBackward& args) {
  const int64_t rows = args.gate_up.shape[0], inner = args.gate_up.shape[1] / 2;
  const float* gate_up = args.gate_up.f32();
  const float* output_gradient = args.output_gradient.f32();
  float* gradient = args.gate_up_gradient.mutable_f32();
  context.pool.parallel_for(rows, [=](int64_t row, int) {
    const float* gates = gate_up + row * 2 * inner;
    const float* ups = gates + inner;
    const float* from = output_gradient + row * inner;
    float* gate_gradient = gradient + row * 2 * inner;
    float* up_gradient = gate_gradient + inner;
    const Vector one = Vector::broadcast(1.0f);
    const auto derive = [&](Vector gate, Vector& up,
                            Vector g) {  // returns the gate's gradient, up becomes its own
      const Vector sigmoid = one / (one + exponential(Vector::zero() - gate));
      const Vector scaled = g * sigmoid;
      const Vector of_gate = scaled * up * fma(gate, one - sigmoid, one);
      up = scaled * gate;
      return of_gate;
    };
    int64_t i = 0;
    for (; i + Vector::kWidth <= inner; i += Vector::kWidth) {
      Vector up = Vector::load(ups + i);
      const Vector of_gate = derive(Vector::load(gates + i), up, Vector::load(from + i));
      of_gate.store(gate_gradient + i);
      up.store(up_gradient + i);
    }
    if (i < inner) {
      const int left = static_cast<int>(inner - i);
      Vector up = Vector::load_partial(ups + i, left);
      const Vector of_gate =
          derive(Vector::load_partial(gates + i, left), up, Vector::load_partial(from + i, left));
      of_gate.store_partial(gate_gradient + i, left);
      up.store_partial(up_gradient + i, left);
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
