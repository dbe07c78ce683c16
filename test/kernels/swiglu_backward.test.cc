#include "harness.h"
#include "kernels/swiglu.h"
#include "ops/swiglu.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, int64_t rows, int64_t inner, bool in_place) {
  const std::vector<Bf16> gate_up = check.random().normal_bf16(rows * 2 * inner, 3.0f);
  const std::vector<Bf16> output_gradient = check.random().normal_bf16(rows * inner);
  std::vector<float> floats = to_floats(gate_up), gradient_floats = to_floats(output_gradient);
  std::vector<float> expected(rows * 2 * inner);
  check.cpu().run(msn::SwiGluBackward{tensor(floats, {rows, 2 * inner}),
                                      tensor(gradient_floats, {rows, inner}),
                                      tensor(expected, {rows, 2 * inner})});

  const DeviceArray<Bf16> gate_up_array(check, gate_up), output_array(check, output_gradient);
  const DeviceArray<Bf16> gradient(check, rows * 2 * inner);
  check.launch(swiglu_backward,
               SwiGluBackward{.gate_up = gate_up_array.data(),
                              .output_gradient = output_array.data(),
                              .gate_up_gradient = in_place ? gate_up_array.data() : gradient.data(),
                              .rows = rows,
                              .inner = inner});
  check.close(to_floats(in_place ? gate_up_array.read() : gradient.read()), expected, kBf16Tolerance,
              "gate_up_gradient");
}

const Test like_cpu("swiglu_backward", [](Check& check) {
  for (const bool in_place : {false, true}) {
    compare_with_cpu(check, 1, 8, in_place);
    compare_with_cpu(check, 3, 77, in_place);
    if (!check.tiny()) compare_with_cpu(check, 65, 1536, in_place);
  }
});

}  // namespace
}  // namespace msn::kernels::testing
