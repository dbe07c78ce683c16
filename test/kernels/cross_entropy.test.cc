#include "kernels/cross_entropy.h"

#include <cmath>

#include "harness.h"
#include "kernels/log_probability.h"
#include "ops/log_probability.h"

namespace msn::kernels::testing {
namespace {

constexpr float kGradientScale = 1.0f / 37;

struct Result {
  std::vector<float> losses;
  std::vector<int32_t> predictions;
  std::vector<float> gradient;
};

Result on_device(Check& check, const std::vector<float>& logits, const std::vector<int32_t>& targets,
                 bool everything) {
  const int64_t rows = static_cast<int64_t>(targets.size());
  const int64_t vocabulary = static_cast<int64_t>(logits.size()) / rows;
  const DeviceArray<float> logits_array(check, logits);
  const DeviceArray<int32_t> targets_array(check, targets);
  const DeviceArray<float> losses(check, rows);
  const DeviceArray<int32_t> predictions(check, rows);
  const DeviceArray<Bf16> gradient(check, rows * vocabulary);
  check.launch(cross_entropy, CrossEntropy{.logits = logits_array.data(),
                                           .targets = targets_array.data(),
                                           .losses = losses.data(),
                                           .predictions = everything ? predictions.data() : nullptr,
                                           .logits_gradient = everything ? gradient.data() : nullptr,
                                           .gradient_scale = kGradientScale,
                                           .rows = rows,
                                           .vocabulary = vocabulary});
  return {losses.read(), predictions.read(), to_floats(gradient.read())};
}

// In double, straight from the definition.
Result expected(const std::vector<float>& logits, const std::vector<int32_t>& targets) {
  const size_t rows = targets.size(), vocabulary = logits.size() / rows;
  Result result = {std::vector<float>(rows), std::vector<int32_t>(rows, -1),
                   std::vector<float>(logits.size())};
  for (size_t row = 0; row < rows; ++row) {
    if (targets[row] < 0) continue;
    const float* const values = logits.data() + row * vocabulary;
    size_t best = 0;
    for (size_t i = 1; i < vocabulary; ++i)
      if (values[i] > values[best]) best = i;
    double sum = 0;
    for (size_t i = 0; i < vocabulary; ++i) sum += std::exp(double{values[i]} - values[best]);
    result.losses[row] = static_cast<float>(std::log(sum) + values[best] - values[targets[row]]);
    result.predictions[row] = static_cast<int32_t>(best);
    for (size_t i = 0; i < vocabulary; ++i)
      result.gradient[row * vocabulary + i] =
          static_cast<float>(kGradientScale * (std::exp(double{values[i]} - values[best]) / sum -
                                               (static_cast<int32_t>(i) == targets[row] ? 1.0 : 0.0)));
  }
  return result;
}

void compare(Check& check, int64_t rows, int64_t vocabulary, float scale) {
  const std::vector<float> logits = check.random().normal(rows * vocabulary, scale);
  std::vector<int32_t> targets = check.random().integers(rows, 0, static_cast<int32_t>(vocabulary - 1));
  if (rows > 2) targets[1] = -1;
  const Result reference = expected(logits, targets);
  const Result actual = on_device(check, logits, targets, true);
  const std::string shape = "[" + std::to_string(rows) + ", " + std::to_string(vocabulary) + "] ";
  check.close(actual.losses, reference.losses, kF32Tolerance, shape + "losses");
  check.same(actual.predictions, reference.predictions, shape + "predictions");
  check.close(actual.gradient, reference.gradient, kBf16Tolerance, shape + "logits_gradient");
  check.same(on_device(check, logits, targets, false).losses, actual.losses, shape + "losses alone");
}

const Test by_definition("cross_entropy", [](Check& check) {
  compare(check, 1, 1, 1);
  compare(check, 3, 33, 5);
  compare(check, 4, 512, 1);
  if (check.tiny()) return;
  compare(check, 5, 2051, 20);
  compare(check, 3, 49152, 3);
});

const Test ties("cross_entropy ties", [](Check& check) {
  std::vector<float> logits(3 * 3000, -1.0f);
  for (const size_t index : {2999, 1400, 7}) logits[index] = 2;   // in three threads
  for (const size_t index : {1, 0}) logits[3000 + index] = 0.5f;  // in one
  logits[6000 + 5] = -0.0f, logits[6000 + 9] = 0.0f;              // equal
  const Result result = on_device(check, logits, {0, 0, 0}, true);
  check.same(result.predictions, {7, 0, 5}, "predictions");
});

// Large, small and infinite logits, and NaN, which must be seen.
const Test extremes("cross_entropy extremes", [](Check& check) {
  const float infinity = INFINITY;
  std::vector<float> logits(4 * 40, 0.0f);
  for (size_t i = 0; i < 40; ++i) logits[i] = i % 2 == 0 ? 3e38f : -3e38f;
  for (size_t i = 0; i < 39; ++i) logits[40 + i] = -infinity;
  for (size_t i = 0; i < 40; ++i) logits[80 + i] = -1e4f;
  logits[120 + 11] = NAN;
  const Result result = on_device(check, logits, {2, 39, 3, 0}, true);
  const float log_twenty = std::log(20.0f), log_forty = std::log(40.0f);
  check.close({result.losses[0], result.losses[1], result.losses[2]}, {log_twenty, 0.0f, log_forty},
              kF32Tolerance, "losses");
  check.require(std::isnan(result.losses[3]), "a logit that is not a number must show in the loss");
});

const Test log_probability_like_cpu("log_probability", [](Check& check) {
  const auto compare_rows = [&](int64_t rows, int64_t vocabulary) {
    std::vector<float> logits = check.random().normal(rows * vocabulary, 4);
    std::vector<int32_t> targets = check.random().integers(rows, 0, static_cast<int32_t>(vocabulary - 1));
    std::vector<float> output(static_cast<size_t>(rows));
    check.cpu().run(msn::LogProbability{tensor(logits, {rows, vocabulary}), tensor(targets, {rows}),
                                        tensor(output, {rows})});
    const DeviceArray<float> logits_array(check, logits);
    const DeviceArray<int32_t> targets_array(check, targets);
    const DeviceArray<float> output_array(check, rows);
    check.launch(log_probability, LogProbability{.logits = logits_array.data(),
                                                 .targets = targets_array.data(),
                                                 .output = output_array.data(),
                                                 .rows = rows,
                                                 .vocabulary = vocabulary});
    check.close(output_array.read(), output, kF32Tolerance, "output");
  };
  compare_rows(1, 1);
  compare_rows(3, 131);
  if (!check.tiny()) compare_rows(2, 49152);
});

}  // namespace
}  // namespace msn::kernels::testing
