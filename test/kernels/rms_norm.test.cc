#include "kernels/rms_norm.h"

#include "harness.h"
#include "ops/rms_norm.h"

namespace msn::kernels::testing {
namespace {

struct Norm {
  std::vector<float> sum;
  std::vector<Bf16> output;
  std::vector<float> inverse_rms;
};

constexpr float kEpsilon = 1e-5f;

Norm on_device(Check& check, const std::vector<float>& input, const std::vector<Bf16>& addend,
               const std::vector<float>& weight) {
  const int64_t width = static_cast<int64_t>(weight.size());
  const int64_t rows = static_cast<int64_t>(input.size()) / width;
  const DeviceArray<float> input_array(check, input);
  const DeviceArray<Bf16> addend_array(check, addend);
  const DeviceArray<float> weight_array(check, weight);
  const DeviceArray<float> sum(check, rows * width);
  const DeviceArray<Bf16> output(check, rows * width);
  const DeviceArray<float> inverse_rms(check, rows);
  const bool adds = !addend.empty();
  check.launch(rms_norm_forward, RmsNormForward{.input = input_array.data(),
                                                .addend = adds ? addend_array.data() : nullptr,
                                                .sum = adds ? sum.data() : nullptr,
                                                .weight = weight_array.data(),
                                                .output = output.data(),
                                                .inverse_rms = inverse_rms.data(),
                                                .rows = rows,
                                                .width = width,
                                                .epsilon = kEpsilon});
  return {adds ? sum.read() : input, output.read(), inverse_rms.read()};
}

void compare_with_cpu(Check& check, int64_t rows, int64_t width, bool adds) {
  std::vector<float> input = check.random().normal(rows * width, 3.0f);
  const std::vector<Bf16> addend = adds ? check.random().normal_bf16(rows * width) : std::vector<Bf16>{};
  std::vector<float> weight = check.random().uniform(width, 0.5f, 1.5f);
  const Norm actual = on_device(check, input, addend, weight);

  std::vector<float> addend_floats = to_floats(addend);
  std::vector<float> sum = input;
  std::vector<float> output(input.size());
  std::vector<float> inverse_rms(static_cast<size_t>(rows));
  msn::RmsNormForward reference{.input = tensor(input, {rows, width}),
                                .weight = tensor(weight, {width}),
                                .epsilon = kEpsilon,
                                .output = tensor(output, {rows, width}),
                                .inverse_rms = tensor(inverse_rms, {rows})};
  if (adds) {
    reference.addend = tensor(addend_floats, {rows, width});
    reference.sum = tensor(sum, {rows, width});
  }
  check.cpu().run(reference);

  const std::string shape = "[" + std::to_string(rows) + ", " + std::to_string(width) + "]";
  check.same(actual.sum, sum, shape + " sum");
  check.close(actual.inverse_rms, inverse_rms, kF32Tolerance, shape + " inverse_rms");
  check.close(to_floats(actual.output), output, kBf16Tolerance, shape + " output");
}

const Test like_cpu("rms_norm", [](Check& check) {
  for (const bool adds : {false, true}) {
    compare_with_cpu(check, 1, 8, adds);
    compare_with_cpu(check, 3, 257, adds);
    if (check.tiny()) continue;
    compare_with_cpu(check, 7, 2048, adds);
    compare_with_cpu(check, 64, 576, adds);
    for (const int64_t width : {1027, 3001, 4096, 5003, 8192, 9001, 16384})
      compare_with_cpu(check, 2, width, adds);
  }
});

// A row's result does not depend on the rows beside it.
const Test rows_alone("rms_norm rows alone", [](Check& check) {
  const int64_t rows = 5;
  const int64_t width = check.tiny() ? 72 : 600;
  const std::vector<float> input = check.random().normal(rows * width);
  const std::vector<Bf16> addend = check.random().normal_bf16(rows * width);
  const std::vector<float> weight = check.random().uniform(width, 0.5f, 1.5f);
  const Norm together = on_device(check, input, addend, weight);
  for (int64_t row = 0; row < rows; ++row) {
    const Norm alone =
        on_device(check, rows_of(input, row, 1, width), rows_of(addend, row, 1, width), weight);
    check.same(alone.output, rows_of(together.output, row, 1, width), "output");
    check.same(alone.inverse_rms, rows_of(together.inverse_rms, row, 1, 1), "inverse_rms");
  }
});

}  // namespace
}  // namespace msn::kernels::testing
