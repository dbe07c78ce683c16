#include "kernels/swiglu.h"

#include "harness.h"
#include "ops/swiglu.h"

namespace msn::kernels::testing {
namespace {

std::vector<Bf16> on_device(Check& check, const std::vector<Bf16>& gate_up, int64_t inner) {
  const int64_t rows = static_cast<int64_t>(gate_up.size()) / (2 * inner);
  const DeviceArray<Bf16> gate_up_array(check, gate_up);
  const DeviceArray<Bf16> output(check, rows * inner);
  check.launch(
      swiglu_forward,
      SwiGluForward{.gate_up = gate_up_array.data(), .output = output.data(), .rows = rows, .inner = inner});
  return output.read();
}

void compare_with_cpu(Check& check, int64_t rows, int64_t inner) {
  const std::vector<Bf16> gate_up = check.random().normal_bf16(rows * 2 * inner, 4.0f);
  std::vector<float> floats = to_floats(gate_up), expected(rows * inner);
  check.cpu().run(msn::SwiGluForward{.gate_up = tensor(floats, {rows, 2 * inner}),
                                     .output = tensor(expected, {rows, inner})});
  check.close(to_floats(on_device(check, gate_up, inner)), expected, kBf16Tolerance, "output");
}

const Test like_cpu("swiglu", [](Check& check) {
  compare_with_cpu(check, 1, 8);
  compare_with_cpu(check, 3, 77);
  if (check.tiny()) return;
  compare_with_cpu(check, 65, 1536);
});

const Test rows_alone("swiglu rows alone", [](Check& check) {
  const int64_t rows = 5, inner = 100;
  const std::vector<Bf16> gate_up = check.random().normal_bf16(rows * 2 * inner);
  const std::vector<Bf16> together = on_device(check, gate_up, inner);
  for (int64_t row = 0; row < rows; ++row)
    check.same(on_device(check, rows_of(gate_up, row, 1, 2 * inner), inner), rows_of(together, row, 1, inner),
               "output");
});

// Far from zero the gate is one or nothing; neither may become something that is no number.
const Test saturated("swiglu far from zero", [](Check& check) {
  const std::vector<float> gate_up = {200, -200, 90, -90, 0, 3e38f, -3e38f, 1, 2, 2, 2, 2, 2, 0.5f, 2, 2};
  check.close(to_floats(on_device(check, to_bf16s(gate_up), 8)),
              rounded_to_bf16({400, 0, 180, 0, 0, 1.5e38f, 0, 1.46211716f}), kBf16Tolerance, "output");
});

}  // namespace
}  // namespace msn::kernels::testing
