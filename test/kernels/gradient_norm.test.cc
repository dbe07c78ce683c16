#include "kernels/gradient_norm.h"

#include <cmath>

#include "harness.h"
#include "ops/gradient_norm.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, int64_t count) {
  std::vector<float> gradient = check.random().normal(count, 1e-3f);
  double expected = -1;
  check.cpu().run(msn::SquaredNorm{tensor(gradient, {count}), Tensor(&expected, Dtype::kF64, {1})});
  const DeviceArray<float> gradient_array(check, gradient);
  const DeviceArray<double> result(check, 1);
  check.launch(squared_norm, SquaredNorm{gradient_array.data(), result.data(), count});
  const double actual = result.read()[0];
  check.require(std::abs(actual - expected) <= 1e-12 * expected,
                "expected " + std::to_string(expected) + ", received " + std::to_string(actual));
}

const Test like_cpu("gradient_norm", [](Check& check) {
  compare_with_cpu(check, 1);
  compare_with_cpu(check, 1030);
  if (check.tiny()) return;
  compare_with_cpu(check, 16384);
  compare_with_cpu(check, 300001);
});

}  // namespace
}  // namespace msn::kernels::testing
