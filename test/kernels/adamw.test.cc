#include "kernels/adamw.h"

#include <cmath>

#include "base/moment_codes.h"
#include "harness.h"
#include "ops/adamw.h"

namespace msn::kernels::testing {
namespace {

constexpr double kLearningRate = 3e-3;

AdamW on_device(int64_t count, int64_t step) {
  return {.weight = nullptr,
          .gradient = nullptr,
          .rounded = nullptr,
          .first_moment = nullptr,
          .second_moment = nullptr,
          .first_codes = nullptr,
          .second_codes = nullptr,
          .first_scale = nullptr,
          .second_scale = nullptr,
          .count = count,
          .learning_rate = kLearningRate,
          .beta1 = 0.9,
          .beta2 = 0.95,
          .epsilon = 1e-8,
          .weight_decay = 0.1,
          .gradient_scale = 0.37,
          .step = step};
}

msn::AdamW on_host(int64_t step) {
  msn::AdamW args;
  args.learning_rate = kLearningRate;
  args.beta2 = 0.95;
  args.weight_decay = 0.1;
  args.gradient_scale = 0.37;
  args.step = step;
  return args;
}

// The same bits as the CPU's, whose generic kernels alone round a product-sum twice.
void same_update(Check& check, const std::vector<float>& actual, const std::vector<float>& expected,
                 const char* what) {
  if (check.cpu().info().instructions == "generic") return check.close(actual, expected, 4e-7, what);
  check.same(actual, expected, what);
}

void compare_with_cpu(Check& check, int64_t count) {
  std::vector<float> weight = check.random().normal(count), first(count, 0.0f), second(count, 0.0f);
  const DeviceArray<float> weight_array(check, weight), first_array(check, first),
      second_array(check, second);
  const DeviceArray<Bf16> rounded(check, count);
  for (int64_t step = 1; step <= 3; ++step) {
    std::vector<float> gradient = check.random().normal(count, 0.1f);
    const DeviceArray<float> gradient_array(check, gradient);
    AdamW args = on_device(count, step);
    args.weight = weight_array.data();
    args.gradient = gradient_array.data();
    args.rounded = rounded.data();
    args.first_moment = first_array.data();
    args.second_moment = second_array.data();
    check.launch(adamw, args);

    msn::AdamW reference = on_host(step);
    reference.weight = tensor(weight, {count});
    reference.gradient = tensor(gradient, {count});
    reference.first_moment = tensor(first, {count});
    reference.second_moment = tensor(second, {count});
    check.cpu().run(reference);
    same_update(check, weight_array.read(), weight, "weight");
    same_update(check, first_array.read(), first, "first moment");
    same_update(check, second_array.read(), second, "second moment");
    check.same(rounded.read(), to_bf16s(weight_array.read()), "rounded");
  }
}

const Test like_cpu("adamw", [](Check& check) {
  compare_with_cpu(check, 1);
  compare_with_cpu(check, 77);
  if (check.tiny()) return;
  compare_with_cpu(check, 2048);
  compare_with_cpu(check, 4099);
});

// What the codes stand for.
std::vector<float> widened(const std::vector<uint8_t>& codes, const std::vector<float>& scales,
                           float (*value)(uint8_t)) {
  std::vector<float> moments;
  for (size_t i = 0; i < codes.size(); ++i)
    moments.push_back(value(codes[i]) * scales[i / static_cast<size_t>(kMomentBlock)]);
  return moments;
}

void compare_codes_with_cpu(Check& check, int64_t count) {
  const int64_t blocks = (count + kMomentBlock - 1) / kMomentBlock;
  std::vector<float> weight = check.random().normal(count);
  std::vector<float> first_scale(blocks, 0.0f), second_scale(blocks, 0.0f);
  std::vector<uint8_t> first(count, 0), second(count, 0);
  const DeviceArray<float> weight_array(check, weight);
  const DeviceArray<Bf16> rounded(check, count);
  const DeviceArray<uint8_t> first_array(check, first), second_array(check, second);
  const DeviceArray<float> first_scales(check, first_scale), second_scales(check, second_scale);
  for (int64_t step = 1; step <= 3; ++step) {
    // Magnitudes from 1 down to where they are lost, and a block of zeros.
    std::vector<float> gradient = check.random().normal(count);
    for (int64_t i = 0; i < count; ++i)
      gradient[i] *= i / kMomentBlock == 1 ? 0.0f : std::exp2f(static_cast<float>(-i % 40));
    const DeviceArray<float> gradient_array(check, gradient);
    AdamW args = on_device(count, step);
    args.weight = weight_array.data();
    args.gradient = gradient_array.data();
    args.rounded = rounded.data();
    args.first_codes = first_array.data();
    args.second_codes = second_array.data();
    args.first_scale = first_scales.data();
    args.second_scale = second_scales.data();
    check.launch(adamw, args);

    msn::AdamW reference = on_host(step);
    reference.weight = tensor(weight, {count});
    reference.gradient = tensor(gradient, {count});
    reference.first_moment = Tensor(first.data(), Dtype::kU8, {count});
    reference.second_moment = Tensor(second.data(), Dtype::kU8, {count});
    reference.first_scale = tensor(first_scale, {blocks});
    reference.second_scale = tensor(second_scale, {blocks});
    check.cpu().run(reference);
    same_update(check, weight_array.read(), weight, "weight");
    check.same(rounded.read(), to_bf16s(weight_array.read()), "rounded");
    same_update(check, first_scales.read(), first_scale, "first scale");
    same_update(check, second_scales.read(), second_scale, "second scale");
    same_update(check, widened(first_array.read(), first_scales.read(), first_moment_value),
                widened(first, first_scale, first_moment_value), "first moment");
    same_update(check, widened(second_array.read(), second_scales.read(), second_moment_value),
                widened(second, second_scale, second_moment_value), "second moment");
  }
}

const Test codes_like_cpu("adamw 8-bit", [](Check& check) {
  compare_codes_with_cpu(check, 5);
  compare_codes_with_cpu(check, 300);
  if (check.tiny()) return;
  compare_codes_with_cpu(check, 2048);
  compare_codes_with_cpu(check, 3 * kMomentBlock + 130);
});

// Widened into a checkpoint and coded again, moments are what they were.
const Test codes_survive("adamw 8-bit moments survive", [](Check& check) {
  for (int code = 0; code < 256; ++code) {
    const uint8_t byte = static_cast<uint8_t>(code);
    for (const float scale : {0x1p-96f, 3e-20f, 0.7f, 1.0f, 5e30f}) {
      const float inverse = inverse_moment_scale(moment_scale(scale));
      const std::string what = "code " + std::to_string(code) + ", scale " + std::to_string(scale);
      if (byte != 0x80)  // zero has no sign
        check.require(first_moment_code(first_moment_value(byte) * scale * inverse) == byte,
                      "first, " + what);
      check.require(second_moment_code(second_moment_value(byte) * scale * inverse) == byte,
                    "second, " + what);
    }
  }
});

}  // namespace
}  // namespace msn::kernels::testing
