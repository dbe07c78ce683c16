#include "harness.h"
#include "kernels/rms_norm.h"
#include "ops/rms_norm.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, int64_t rows, int64_t width, bool wants_rounded) {
  std::vector<float> input = check.random().normal(rows * width, 2.0f);
  std::vector<float> weight = check.random().uniform(width, 0.5f, 1.5f);
  std::vector<float> inverse_rms = check.random().uniform(rows, 0.3f, 0.7f);
  const std::vector<Bf16> output_gradient = check.random().normal_bf16(rows * width);
  std::vector<float> input_gradient = check.random().normal(rows * width);
  std::vector<float> weight_gradient = check.random().normal(width);
  const DeviceArray<float> input_array(check, input), weight_array(check, weight);
  const DeviceArray<float> inverse_array(check, inverse_rms), gradient_array(check, input_gradient);
  const DeviceArray<float> weight_gradient_array(check, weight_gradient);
  const DeviceArray<Bf16> output_array(check, output_gradient), rounded(check, rows * width);
  check.launch(rms_norm_backward, RmsNormBackward{.input = input_array.data(),
                                                  .weight = weight_array.data(),
                                                  .inverse_rms = inverse_array.data(),
                                                  .output_gradient = output_array.data(),
                                                  .input_gradient = gradient_array.data(),
                                                  .rounded = wants_rounded ? rounded.data() : nullptr,
                                                  .weight_gradient = weight_gradient_array.data(),
                                                  .rows = rows,
                                                  .width = width});

  std::vector<float> output_floats = to_floats(output_gradient);
  msn::RmsNormBackward reference{.input = tensor(input, {rows, width}),
                                 .weight = tensor(weight, {width}),
                                 .inverse_rms = tensor(inverse_rms, {rows}),
                                 .output_gradient = tensor(output_floats, {rows, width}),
                                 .input_gradient = tensor(input_gradient, {rows, width}),
                                 .weight_gradient = tensor(weight_gradient, {width})};
  check.cpu().run(reference);
  const std::string shape = "[" + std::to_string(rows) + ", " + std::to_string(width) + "] ";
  check.close(gradient_array.read(), input_gradient, kF32Tolerance, shape + "input_gradient");
  check.close(weight_gradient_array.read(), weight_gradient, kF32Tolerance, shape + "weight_gradient");
  if (wants_rounded) check.same(rounded.read(), to_bf16s(gradient_array.read()), shape + "rounded");
}

const Test like_cpu("rms_norm_backward", [](Check& check) {
  compare_with_cpu(check, 1, 8, true);
  compare_with_cpu(check, 19, 257, true);
  compare_with_cpu(check, 9, 64, false);
  if (check.tiny()) return;
  compare_with_cpu(check, 70, 1032, true);
  compare_with_cpu(check, 11, 4096, true);
  compare_with_cpu(check, 9, 5001, true);
  compare_with_cpu(check, 3, 8192, true);
  compare_with_cpu(check, 3, 9000, true);
  compare_with_cpu(check, 2, 9001, true);
  compare_with_cpu(check, 2, 3001, true);
  compare_with_cpu(check, 2100, 16, true);  // groups of more than the least rows
});

}  // namespace
}  // namespace msn::kernels::testing
