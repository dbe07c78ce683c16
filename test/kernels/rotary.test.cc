#include "kernels/rotary.h"

#include <cmath>

#include "harness.h"
#include "ops/rotary.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, int64_t rows, int64_t head_dim) {
  std::vector<int32_t> positions = check.random().integers(rows, 0, 131071);
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i)
    frequencies.push_back(std::pow(500000.0, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
  std::vector<float> expected(rows * head_dim);
  check.cpu().run(
      msn::RotaryTable{.positions = tensor(positions, {rows}),
                       .inverse_frequencies = Tensor(frequencies.data(), Dtype::kF64, {head_dim / 2}),
                       .table = tensor(expected, {rows, head_dim})});

  const DeviceArray<int32_t> position_array(check, positions);
  const DeviceArray<double> frequency_array(check, frequencies);
  const DeviceArray<float> table(check, rows * head_dim);
  check.launch(rotary_table, RotaryTable{.positions = position_array.data(),
                                         .inverse_frequencies = frequency_array.data(),
                                         .table = table.data(),
                                         .rows = rows,
                                         .head_dim = head_dim});
  const std::vector<float> actual = table.read();
  for (size_t i = 0; i < actual.size(); ++i)
    check.require(
        std::abs(actual[i] - expected[i]) <= std::abs(std::nextafter(expected[i], INFINITY) - expected[i]),
        "element " + std::to_string(i) + " is more than one unit in the last place off");
}

const Test like_cpu("rotary", [](Check& check) {
  compare_with_cpu(check, 1, 2);
  compare_with_cpu(check, 3, 80);
  if (check.tiny()) return;
  compare_with_cpu(check, 69, 128);
});

}  // namespace
}  // namespace msn::kernels::testing
