#include "kernels/split_heads.h"

#include "harness.h"
#include "ops/split_heads.h"

namespace msn::kernels::testing {
namespace {

struct Shape {
  int64_t heads, kv_heads, head_dim, capacity;
  int64_t width() const { return (heads + 2 * kv_heads) * head_dim; }
};

constexpr float kEpsilon = 1e-6f;

struct Inputs {
  std::vector<Bf16> qkv;
  std::vector<float> rotary, query_norm, key_norm;  // norms: empty for none
  int32_t first_row;
};

struct Heads {
  std::vector<Bf16> query, keys, values;
};

Inputs random_inputs(Check& check, const Shape& shape, int64_t rows, bool normed) {
  Inputs inputs;
  inputs.qkv = check.random().normal_bf16(rows * shape.width());
  inputs.rotary = check.random().uniform(rows * shape.head_dim, -1, 1);
  if (normed) {
    inputs.query_norm = check.random().uniform(shape.head_dim, 0.5f, 1.5f);
    inputs.key_norm = check.random().uniform(shape.head_dim, 0.5f, 1.5f);
  }
  inputs.first_row = static_cast<int32_t>(check.random().integer(0, shape.capacity - rows));
  return inputs;
}

Heads on_device(Check& check, const Shape& shape, const Inputs& inputs) {
  const int64_t rows = static_cast<int64_t>(inputs.qkv.size()) / shape.width();
  const bool normed = !inputs.query_norm.empty();
  const DeviceArray<Bf16> qkv(check, inputs.qkv);
  const DeviceArray<float> query_norm(check, inputs.query_norm), key_norm(check, inputs.key_norm);
  const DeviceArray<float> rotary(check, inputs.rotary);
  const DeviceArray<int32_t> first_row(check, std::vector<int32_t>{inputs.first_row});
  const std::vector<Bf16> empty_cache(shape.kv_heads * shape.capacity * shape.head_dim, Bf16{0});
  const DeviceArray<Bf16> query(check, rows * shape.heads * shape.head_dim);
  const DeviceArray<Bf16> keys(check, empty_cache), values(check, empty_cache);
  check.launch(split_heads_forward, SplitHeadsForward{.qkv = qkv.data(),
                                                      .query_norm = normed ? query_norm.data() : nullptr,
                                                      .key_norm = normed ? key_norm.data() : nullptr,
                                                      .rotary = rotary.data(),
                                                      .first_row = first_row.data(),
                                                      .query = query.data(),
                                                      .keys = keys.data(),
                                                      .values = values.data(),
                                                      .rows = rows,
                                                      .heads = shape.heads,
                                                      .kv_heads = shape.kv_heads,
                                                      .head_dim = shape.head_dim,
                                                      .capacity = shape.capacity,
                                                      .epsilon = kEpsilon});
  return {query.read(), keys.read(), values.read()};
}

void compare_with_cpu(Check& check, const Shape& shape, int64_t rows, bool normed) {
  Inputs inputs = random_inputs(check, shape, rows, normed);
  const Heads actual = on_device(check, shape, inputs);

  std::vector<float> qkv = to_floats(inputs.qkv), query(rows * shape.heads * shape.head_dim);
  std::vector<float> keys(shape.kv_heads * shape.capacity * shape.head_dim), values(keys.size());
  std::vector<int32_t> first_row = {inputs.first_row};
  msn::SplitHeadsForward reference;
  reference.qkv = tensor(qkv, {rows, shape.width()});
  reference.epsilon = kEpsilon;
  reference.rotary = tensor(inputs.rotary, {rows, shape.head_dim});
  reference.first_row = tensor(first_row, {1});
  reference.query = tensor(query, {rows, shape.heads, shape.head_dim});
  reference.keys = tensor(keys, {shape.kv_heads, shape.capacity, shape.head_dim});
  reference.values = tensor(values, {shape.kv_heads, shape.capacity, shape.head_dim});
  if (normed) {
    reference.query_norm = tensor(inputs.query_norm, {shape.head_dim});
    reference.key_norm = tensor(inputs.key_norm, {shape.head_dim});
  }
  check.cpu().run(reference);
  check.close(to_floats(actual.query), query, kBf16Tolerance, "query");
  check.close(to_floats(actual.keys), keys, kBf16Tolerance, "keys");
  check.same(to_floats(actual.values), values, "values");
}

const Test like_cpu("split_heads", [](Check& check) {
  for (const bool normed : {false, true}) {
    compare_with_cpu(check, {2, 1, 8, 5}, 3, normed);
    compare_with_cpu(check, {3, 1, 10, 4}, 2, normed);
    if (check.tiny()) continue;
    compare_with_cpu(check, {9, 3, 64, 40}, 17, normed);
    compare_with_cpu(check, {4, 2, 80, 12}, 5, normed);
    compare_with_cpu(check, {4, 4, 96, 12}, 5, normed);
    compare_with_cpu(check, {8, 2, 128, 12}, 5, normed);
    compare_with_cpu(check, {2, 1, 256, 12}, 5, normed);
  }
});

const Test rows_alone("split_heads rows alone", [](Check& check) {
  const Shape shape{3, 1, 16, 9};
  const int64_t rows = 5;
  const Inputs inputs = random_inputs(check, shape, rows, true);
  const Heads together = on_device(check, shape, inputs);
  for (int64_t row = 0; row < rows; ++row) {
    Inputs one = inputs;
    one.qkv = rows_of(inputs.qkv, row, 1, shape.width());
    one.rotary = rows_of(inputs.rotary, row, 1, shape.head_dim);
    one.first_row += static_cast<int32_t>(row);
    const Heads alone = on_device(check, shape, one);
    check.same(alone.query, rows_of(together.query, row, 1, shape.heads * shape.head_dim), "query");
    check.same(rows_of(alone.keys, one.first_row, 1, shape.head_dim),
               rows_of(together.keys, one.first_row, 1, shape.head_dim), "keys");
    check.same(rows_of(alone.values, one.first_row, 1, shape.head_dim),
               rows_of(together.values, one.first_row, 1, shape.head_dim), "values");
  }
});

}  // namespace
}  // namespace msn::kernels::testing
