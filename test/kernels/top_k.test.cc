#include "kernels/top_k.h"

#include <cmath>

#include "harness.h"
#include "ops/top_k.h"

namespace msn::kernels::testing {
namespace {

struct Highest {
  std::vector<int32_t> indices;
  std::vector<float> values;
};

// rows: empty for all.
Highest on_device(Check& check, const std::vector<float>& logits, int64_t vocabulary,
                  const std::vector<int32_t>& rows, int64_t k) {
  const int64_t results = static_cast<int64_t>(rows.empty() ? logits.size() / vocabulary : rows.size());
  const DeviceArray<float> logit_array(check, logits);
  const DeviceArray<int32_t> row_array(check, rows);
  const DeviceArray<int32_t> indices(check, std::vector<int32_t>(results * k, -7));
  const DeviceArray<float> values(check, std::vector<float>(results * k, -7));
  check.launch(top_k, TopK{.logits = logit_array.data(),
                           .rows = rows.empty() ? nullptr : row_array.data(),
                           .indices = indices.data(),
                           .values = values.data(),
                           .results = results,
                           .vocabulary = vocabulary,
                           .k = k});
  return {indices.read(), values.read()};
}

void compare_with_cpu(Check& check, std::vector<float> logits, int64_t vocabulary, std::vector<int32_t> rows,
                      int64_t k) {
  const int64_t all = static_cast<int64_t>(logits.size()) / vocabulary;
  const int64_t results = rows.empty() ? all : static_cast<int64_t>(rows.size());
  const Highest actual = on_device(check, logits, vocabulary, rows, k);
  std::vector<int32_t> indices(results * k, -7);
  std::vector<float> values(results * k, -7);
  msn::TopK reference{.logits = tensor(logits, {all, vocabulary}),
                      .indices = tensor(indices, {results, k}),
                      .values = tensor(values, {results, k})};
  if (!rows.empty()) reference.rows = tensor(rows, {results});
  check.cpu().run(reference);
  const std::string what = "vocabulary " + std::to_string(vocabulary) + ", k " + std::to_string(k) +
                           ", rows " + std::to_string(all);
  check.same(actual.indices, indices, what + ": indices");
  check.same(actual.values, values, what + ": values");
}

// Few distinct values, so that ties decide.
std::vector<float> with_ties(Check& check, int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(check.random().integer(-3, 3)));
  return values;
}

// Zeros of both signs, infinities and what is no number.
std::vector<float> with_oddities(Check& check, int64_t count) {
  const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 1.0f, -1.0f, 1e-45f, -1e-45f};
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(odd[check.random().integer(0, 9)]);
  return values;
}

const Test like_cpu("top_k", [](Check& check) {
  compare_with_cpu(check, check.random().normal(3 * 50), 50, {}, 1);
  compare_with_cpu(check, check.random().normal(3 * 50), 50, {2, -1, 0, 2}, 1);
  if (check.tiny()) return compare_with_cpu(check, check.random().normal(600), 600, {}, 3);
  compare_with_cpu(check, check.random().normal(2 * 64), 64, {}, 64);
  compare_with_cpu(check, check.random().normal(3 * 1001), 1001, {1, -3, 0}, 10);
  for (const int64_t k : {1, 10, 64}) {
    compare_with_cpu(check, with_ties(check, 2 * 5003), 5003, {}, k);
    compare_with_cpu(check, with_oddities(check, 2 * 4096), 4096, {}, k);
    compare_with_cpu(check, std::vector<float>(4100, -INFINITY), 4100, {}, k);
    compare_with_cpu(check, std::vector<float>(4100, NAN), 4100, {}, k);
  }
});

// Falling and rising rows put the highest next to each other or all into the last segment.
const Test sorted_rows("top_k of sorted rows", [](Check& check) {
  const int64_t vocabulary = check.tiny() ? 500 : 70000;
  std::vector<float> rising, falling, steps;
  for (int64_t i = 0; i < vocabulary; ++i) {
    rising.push_back(static_cast<float>(i));
    falling.push_back(static_cast<float>(-i));
    steps.push_back(static_cast<float>(i % 1024 == 5 ? i : -i));
  }
  for (const int64_t k : {1, 3, 16, 17, 64}) {
    compare_with_cpu(check, rising, vocabulary, {}, k);
    compare_with_cpu(check, falling, vocabulary, {}, k);
    compare_with_cpu(check, steps, vocabulary, {}, k);
  }
});

const Test large("top_k of a large vocabulary", [](Check& check) {
  if (check.tiny()) return;
  const int64_t vocabulary = 262144;
  compare_with_cpu(check, check.random().normal(vocabulary), vocabulary, {}, 64);
  // All of the highest in one stripe of threads.
  std::vector<float> logits = check.random().normal(vocabulary);
  for (int64_t i = 0; i < vocabulary; i += 4096) logits[i + 8] = 100.0f + static_cast<float>(i % 7);
  compare_with_cpu(check, logits, vocabulary, {}, 64);
  compare_with_cpu(check, logits, vocabulary, {}, 1);
  compare_with_cpu(check, logits, vocabulary, {}, 10);
  compare_with_cpu(check, logits, vocabulary, {}, 16);
  // More than small blocks can share out.
  compare_with_cpu(check, check.random().normal(1 << 20 | 4), 1 << 20 | 4, {}, 16);
});

}  // namespace
}  // namespace msn::kernels::testing
