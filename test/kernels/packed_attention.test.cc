#include "kernels/packed_attention.h"

#include <cmath>
#include <numeric>

#include "harness.h"
#include "ops/packed_attention.h"

namespace msn::kernels::testing {
namespace {

// Weights and their gradients are rounded to bf16 on their way into products; both feed a gradient.
constexpr double kGradientTolerance = 1.0 / 24;

struct Shape {
  std::vector<int32_t> lengths;  // of the documents
  int64_t heads, kv_heads, head_dim;
  int64_t window = 0;
  bool in_parts = true;  // whether there is room and need for gradients of keys by query head

  int64_t tokens() const { return std::accumulate(lengths.begin(), lengths.end(), int64_t{0}); }
  int64_t documents() const { return static_cast<int64_t>(lengths.size()); }
  std::vector<int32_t> offsets() const {
    std::vector<int32_t> offsets = {0};
    for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
    return offsets;
  }
  std::string name() const {
    std::string text;
    for (const int32_t length : lengths)
      text += (text.empty() ? "documents " : ", ") + std::to_string(length);
    return text + "; heads " + std::to_string(heads) + " / " + std::to_string(kv_heads) + " of " +
           std::to_string(head_dim) + "; window " + std::to_string(window) + "; ";
  }
};

struct Inputs {
  std::vector<Bf16> query, keys, values, output_gradient;
};

Inputs random_inputs(Check& check, const Shape& shape) {
  const int64_t queries = shape.tokens() * shape.heads * shape.head_dim;
  const int64_t keys = shape.tokens() * shape.kv_heads * shape.head_dim;
  return {check.random().normal_bf16(queries), check.random().normal_bf16(keys),
          check.random().normal_bf16(keys), check.random().normal_bf16(queries)};
}

struct Forward {
  std::vector<Bf16> output;
  std::vector<float> log_sum_exp;
};
struct Backward {
  std::vector<Bf16> query, keys, values;  // gradients
};

Forward forward_on_device(Check& check, const Shape& shape, const Inputs& inputs) {
  const DeviceArray<Bf16> query(check, inputs.query), keys(check, inputs.keys), values(check, inputs.values);
  const DeviceArray<int32_t> offsets(check, shape.offsets());
  const DeviceArray<Bf16> output(check, query.count());
  const DeviceArray<float> log_sum_exp(check, shape.heads * shape.tokens());
  check.launch(packed_attention_forward, PackedAttentionForward{.query = query.data(),
                                                                .keys = keys.data(),
                                                                .values = values.data(),
                                                                .document_offsets = offsets.data(),
                                                                .output = output.data(),
                                                                .log_sum_exp = log_sum_exp.data(),
                                                                .tokens = shape.tokens(),
                                                                .heads = shape.heads,
                                                                .kv_heads = shape.kv_heads,
                                                                .head_dim = shape.head_dim,
                                                                .documents = shape.documents(),
                                                                .window = shape.window});
  return {output.read(), log_sum_exp.read()};
}

// scratch_bytes 0: as much as there is.
Backward backward_on_device(Check& check, const Shape& shape, const Inputs& inputs, const Forward& forward,
                            int64_t scratch_bytes = 0) {
  const DeviceArray<Bf16> query(check, inputs.query), keys(check, inputs.keys), values(check, inputs.values);
  const DeviceArray<int32_t> offsets(check, shape.offsets());
  const DeviceArray<Bf16> output(check, forward.output), output_gradient(check, inputs.output_gradient);
  const DeviceArray<float> log_sum_exp(check, forward.log_sum_exp);
  const DeviceArray<Bf16> query_gradient(check, query.count()), keys_gradient(check, keys.count()),
      values_gradient(check, keys.count());
  DeviceFacts facts = check.facts();
  facts.multiprocessors = shape.in_parts ? 1 << 20 : 0;
  Launch where = check.where();
  where.device = &facts;
  if (scratch_bytes > 0) where.scratch_bytes = scratch_bytes;
  const PackedAttentionBackward args = {.query = query.data(),
                                        .keys = keys.data(),
                                        .values = values.data(),
                                        .document_offsets = offsets.data(),
                                        .output = output.data(),
                                        .log_sum_exp = log_sum_exp.data(),
                                        .output_gradient = output_gradient.data(),
                                        .query_gradient = query_gradient.data(),
                                        .keys_gradient = keys_gradient.data(),
                                        .values_gradient = values_gradient.data(),
                                        .tokens = shape.tokens(),
                                        .heads = shape.heads,
                                        .kv_heads = shape.kv_heads,
                                        .head_dim = shape.head_dim,
                                        .documents = shape.documents(),
                                        .window = shape.window};
  check.finish(packed_attention_backward(args, where));
  return {query_gradient.read(), keys_gradient.read(), values_gradient.read()};
}

void compare_with_cpu(Check& check, const Shape& shape) {
  const int64_t tokens = shape.tokens(), heads = shape.heads, kv_heads = shape.kv_heads;
  const int64_t head_dim = shape.head_dim;
  const Inputs inputs = random_inputs(check, shape);
  std::vector<float> query = to_floats(inputs.query), keys = to_floats(inputs.keys);
  std::vector<float> values = to_floats(inputs.values), output_gradient = to_floats(inputs.output_gradient);
  std::vector<int32_t> offsets = shape.offsets();
  std::vector<float> output(query.size()), log_sum_exp(static_cast<size_t>(heads * tokens));
  check.cpu().run(msn::PackedAttentionForward{
      tensor(query, {tokens, heads, head_dim}), tensor(keys, {kv_heads, tokens, head_dim}),
      tensor(values, {kv_heads, tokens, head_dim}), tensor(offsets, {shape.documents() + 1}), shape.window,
      tensor(output, {tokens, heads * head_dim}), tensor(log_sum_exp, {heads, tokens})});
  const Forward forward = forward_on_device(check, shape, inputs);
  check.close(to_floats(forward.output), output, kBf16Tolerance, shape.name() + "output");
  check.close(forward.log_sum_exp, log_sum_exp, kF32Tolerance, shape.name() + "log_sum_exp");

  // Both ways back start from the same output, the rounded one.
  std::vector<float> rounded_output = to_floats(forward.output), log_sums = forward.log_sum_exp;
  std::vector<float> query_gradient(query.size()), keys_gradient(keys.size()), values_gradient(keys.size());
  msn::PackedAttentionBackward reference;
  reference.query = tensor(query, {tokens, heads, head_dim});
  reference.keys = tensor(keys, {kv_heads, tokens, head_dim});
  reference.values = tensor(values, {kv_heads, tokens, head_dim});
  reference.document_offsets = tensor(offsets, {shape.documents() + 1});
  reference.window = shape.window;
  reference.output = tensor(rounded_output, {tokens, heads * head_dim});
  reference.log_sum_exp = tensor(log_sums, {heads, tokens});
  reference.output_gradient = tensor(output_gradient, {tokens, heads * head_dim});
  reference.query_gradient = tensor(query_gradient, {tokens, heads, head_dim});
  reference.keys_gradient = tensor(keys_gradient, {kv_heads, tokens, head_dim});
  reference.values_gradient = tensor(values_gradient, {kv_heads, tokens, head_dim});
  check.cpu().run(reference);
  const Backward backward = backward_on_device(check, shape, inputs, forward);
  check.close(to_floats(backward.query), query_gradient, kGradientTolerance, shape.name() + "query_gradient");
  check.close(to_floats(backward.keys), keys_gradient, kGradientTolerance, shape.name() + "keys_gradient");
  check.close(to_floats(backward.values), values_gradient, kGradientTolerance,
              shape.name() + "values_gradient");
}

const Test like_cpu("packed_attention", [](Check& check) {
  compare_with_cpu(check, {{1, 2, 13}, 2, 1, 12});
  compare_with_cpu(check, {{40}, 2, 1, 16, 7, false});
  if (check.tiny()) return;
  // Documents shorter and longer than tiles, on their borders, and an empty one.
  compare_with_cpu(check, {{1, 2, 63, 64, 0, 65, 200}, 3, 1, 14});
  compare_with_cpu(check, {{1, 2, 63, 64, 0, 65, 200}, 2, 2, 16, 50});
  compare_with_cpu(check, {{65, 200}, 2, 1, 32, 64, false});
  compare_with_cpu(check, {{130}, 1, 1, 16, 2});
});

// Every size of a tile's rows.
const Test head_sizes("packed_attention head sizes", [](Check& check) {
  for (const int64_t head_dim : {64, 80, 96, 128, 256})
    if (!check.tiny() || head_dim == 80 || head_dim == 256)
      compare_with_cpu(check, {{3, check.tiny() ? 5 : 130}, 2, 1, head_dim, 100, head_dim % 64 == 0});
  // Rows that do not start on 16 bytes, in a tile that is wider.
  if (!check.tiny()) compare_with_cpu(check, {{70, 66}, 2, 1, 70});
});

// The gradients do not depend on how scratch memory cuts the work, and have the same bits every time.
const Test repeatable("packed_attention repeatable", [](Check& check) {
  const Shape shape = {{check.tiny() ? 5 : 100, 33}, 4, 2, 16};
  const Inputs inputs = random_inputs(check, shape);
  const Forward forward = forward_on_device(check, shape, inputs);
  const Backward backward = backward_on_device(check, shape, inputs, forward);
  const auto repeat = [&](const Forward& other, const Backward& gradients) {
    check.same(other.output, forward.output, "output");
    check.same(other.log_sum_exp, forward.log_sum_exp, "log_sum_exp");
    check.same(gradients.query, backward.query, "query_gradient");
    check.same(gradients.keys, backward.keys, "keys_gradient");
    check.same(gradients.values, backward.values, "values_gradient");
  };
  const Forward again = forward_on_device(check, shape, inputs);
  repeat(again, backward_on_device(check, shape, inputs, again));
  const int64_t of_one_head = (2 * shape.tokens() * (1 + 2 * shape.head_dim) + 3 * 64) * 4;
  repeat(again, backward_on_device(check, shape, inputs, again, of_one_head));
});

}  // namespace
}  // namespace msn::kernels::testing
