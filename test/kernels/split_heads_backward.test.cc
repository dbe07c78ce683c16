#include "harness.h"
#include "kernels/split_heads.h"
#include "ops/split_heads.h"

namespace msn::kernels::testing {
namespace {

constexpr float kEpsilon = 1e-6f;

void compare_with_cpu(Check& check, int64_t rows, int64_t heads, int64_t kv_heads, int64_t head_dim,
                      bool normed) {
  const int64_t width = (heads + 2 * kv_heads) * head_dim;
  const std::vector<Bf16> qkv = check.random().normal_bf16(rows * width);
  const std::vector<Bf16> query_gradient = check.random().normal_bf16(rows * heads * head_dim);
  const std::vector<Bf16> keys_gradient = check.random().normal_bf16(kv_heads * rows * head_dim);
  const std::vector<Bf16> values_gradient = check.random().normal_bf16(kv_heads * rows * head_dim);
  std::vector<float> rotary = check.random().uniform(rows * head_dim, -1, 1);
  std::vector<float> query_norm = check.random().uniform(head_dim, 0.5f, 1.5f);
  std::vector<float> key_norm = check.random().uniform(head_dim, 0.5f, 1.5f);
  std::vector<float> query_norm_gradient = check.random().normal(head_dim);
  std::vector<float> key_norm_gradient = check.random().normal(head_dim);

  const DeviceArray<Bf16> qkv_array(check, qkv), query_array(check, query_gradient);
  const DeviceArray<Bf16> keys_array(check, keys_gradient), values_array(check, values_gradient);
  const DeviceArray<float> rotary_array(check, rotary), query_norm_array(check, query_norm);
  const DeviceArray<float> key_norm_array(check, key_norm), query_sum(check, query_norm_gradient);
  const DeviceArray<float> key_sum(check, key_norm_gradient);
  const DeviceArray<Bf16> qkv_gradient(check, rows * width);
  check.launch(split_heads_backward,
               SplitHeadsBackward{.qkv = normed ? qkv_array.data() : nullptr,
                                  .query_norm = normed ? query_norm_array.data() : nullptr,
                                  .key_norm = normed ? key_norm_array.data() : nullptr,
                                  .rotary = rotary_array.data(),
                                  .query_gradient = query_array.data(),
                                  .keys_gradient = keys_array.data(),
                                  .values_gradient = values_array.data(),
                                  .qkv_gradient = qkv_gradient.data(),
                                  .query_norm_gradient = normed ? query_sum.data() : nullptr,
                                  .key_norm_gradient = normed ? key_sum.data() : nullptr,
                                  .rows = rows,
                                  .heads = heads,
                                  .kv_heads = kv_heads,
                                  .head_dim = head_dim,
                                  .epsilon = kEpsilon});

  std::vector<float> qkv_floats = to_floats(qkv), query_floats = to_floats(query_gradient);
  std::vector<float> keys_floats = to_floats(keys_gradient), values_floats = to_floats(values_gradient);
  std::vector<float> expected(rows * width);
  msn::SplitHeadsBackward reference;
  reference.epsilon = kEpsilon;
  reference.rotary = tensor(rotary, {rows, head_dim});
  reference.query_gradient = tensor(query_floats, {rows, heads, head_dim});
  reference.keys_gradient = tensor(keys_floats, {kv_heads, rows, head_dim});
  reference.values_gradient = tensor(values_floats, {kv_heads, rows, head_dim});
  reference.qkv_gradient = tensor(expected, {rows, width});
  if (normed) {
    reference.qkv = tensor(qkv_floats, {rows, width});
    reference.query_norm = tensor(query_norm, {head_dim});
    reference.key_norm = tensor(key_norm, {head_dim});
    reference.query_norm_gradient = tensor(query_norm_gradient, {head_dim});
    reference.key_norm_gradient = tensor(key_norm_gradient, {head_dim});
  }
  check.cpu().run(reference);
  check.close(to_floats(qkv_gradient.read()), expected, kBf16Tolerance, "qkv_gradient");
  if (!normed) return;
  check.close(query_sum.read(), query_norm_gradient, kF32Tolerance, "query_norm_gradient");
  check.close(key_sum.read(), key_norm_gradient, kF32Tolerance, "key_norm_gradient");
}

const Test like_cpu("split_heads_backward", [](Check& check) {
  for (const bool normed : {false, true}) {
    compare_with_cpu(check, 3, 2, 1, 8, normed);
    compare_with_cpu(check, 5, 3, 1, 10, normed);
    if (check.tiny()) continue;
    compare_with_cpu(check, 17, 9, 3, 64, normed);
    compare_with_cpu(check, 6, 4, 2, 80, normed);
    compare_with_cpu(check, 6, 4, 4, 96, normed);
    compare_with_cpu(check, 9, 8, 2, 128, normed);
    compare_with_cpu(check, 3, 2, 1, 256, normed);
  }
});

}  // namespace
}  // namespace msn::kernels::testing
