#include "kernels/kv_compact.h"

#include "harness.h"
#include "ops/kv_compact.h"

namespace msn::kernels::testing {
namespace {

// `count` below 0: all sources are meant.
void compare_with_cpu(Check& check, int64_t blocks, int64_t capacity, int64_t head_dim,
                      std::vector<int32_t> sources, int32_t first_row, int32_t count) {
  const int64_t rows = static_cast<int64_t>(sources.size());
  const std::vector<Bf16> cache = check.random().normal_bf16(blocks * capacity * head_dim);
  const DeviceArray<Bf16> cache_array(check, cache);
  const DeviceArray<int32_t> source_array(check, sources);
  const DeviceArray<int32_t> first_array(check, std::vector<int32_t>{first_row});
  const DeviceArray<int32_t> count_array(check, std::vector<int32_t>{count});
  check.launch(kv_compact, KvCompact{.cache = cache_array.data(),
                                     .sources = source_array.data(),
                                     .first_row = first_array.data(),
                                     .count = count >= 0 ? count_array.data() : nullptr,
                                     .blocks = blocks,
                                     .capacity = capacity,
                                     .head_dim = head_dim,
                                     .rows = rows});

  std::vector<Bf16> expected = cache;
  std::vector<int32_t> first = {first_row}, meant = {count};
  msn::KvCompact reference{.cache = tensor(expected, {blocks, capacity, head_dim}),
                           .sources = tensor(sources, {rows}),
                           .first_row = tensor(first, {1})};
  if (count >= 0) reference.count = tensor(meant, {1});
  check.cpu().run(reference);
  check.same(cache_array.read(), expected, "cache");
}

const Test like_cpu("kv_compact", [](Check& check) {
  compare_with_cpu(check, 1, 9, 8, {4, 6, 7}, 3, -1);
  compare_with_cpu(check, 3, 20, 5, {5, 6, 9, 19}, 5, 3);
  compare_with_cpu(check, 2, 20, 8, {5, 6, 9}, 5, 0);
  if (check.tiny()) return;
  compare_with_cpu(check, 24, 80, 64, {10, 13, 26, 40, 79}, 10, 5);
  // More rows than are read ahead, overlapping their targets.
  std::vector<int32_t> sources;
  for (int32_t row = 0; row < 37; ++row) sources.push_back(21 + row + row / 9);
  compare_with_cpu(check, 4, 90, 80, sources, 20, 37);
});

}  // namespace
}  // namespace msn::kernels::testing
