#include "kernels/linear.h"

#include <algorithm>
#include <cmath>

#include "harness.h"
#include "kernels/linear_plan.h"
#include "kernels/weight_layout.h"
#include "ops/linear.h"

namespace msn::kernels::testing {
namespace {

struct Shape {
  int64_t rows;
  int64_t inputs;
  int64_t outputs;
  int multiprocessors;  // that the weight is dealt to
};

struct Options {
  bool int8 = false;
  bool bias = false;
  bool f32 = false;
  bool accumulate = false;
  bool gated = false;
  const LinearPlan* plan = nullptr;  // instead of the device's
};

DeviceFacts facts_of(Check& check, const Shape& shape) {
  DeviceFacts facts = check.facts();
  facts.multiprocessors = shape.multiprocessors;
  for (int log = 0; log < 4; ++log)
    facts.clusters[log] = std::min(facts.clusters[log], shape.multiprocessors >> log);
  return facts;
}

std::string name_of(const Shape& shape, const Options& options) {
  std::string name = "[" + std::to_string(shape.rows) + ", " + std::to_string(shape.inputs) + "] -> " +
                     std::to_string(shape.outputs) + " on " + std::to_string(shape.multiprocessors);
  for (const auto& [on, word] :
       {std::pair(options.int8, " int8"), std::pair(options.bias, " bias"), std::pair(options.f32, " f32"),
        std::pair(options.accumulate, " accumulate"), std::pair(options.gated, " gated")})
    if (on) name += word;
  return name;
}

// A layer: its values as the CPU takes them and packed for the kernel.
struct Layer {
  std::vector<float> values;  // [outputs, inputs]
  std::vector<Bf16> weight;
  std::vector<int8_t> weight_int8;
  std::vector<float> scales;
  std::vector<float> bias;
};

Layer make_layer(Check& check, const Shape& shape, const Options& options) {
  Layer layer;
  const int64_t stride = weight_stride(shape.inputs);
  const int64_t padded = weight_rows(shape.outputs) * stride;
  layer.values = rounded_to_bf16(check.random().normal(shape.outputs * shape.inputs));
  if (options.bias) layer.bias = check.random().normal(shape.outputs);
  if (!options.int8) {
    layer.weight.resize(static_cast<size_t>(padded));
    for (int64_t output = 0; output < shape.outputs; ++output)
      for (int64_t input = 0; input < shape.inputs; ++input)
        layer.weight[output * stride + input] = to_bf16(layer.values[output * shape.inputs + input]);
    return layer;
  }
  layer.weight_int8.resize(static_cast<size_t>(padded));
  layer.scales = check.random().uniform(shape.outputs, 0.001f, 0.03f);
  for (int64_t output = 0; output < shape.outputs; ++output)
    for (int64_t input = 0; input < shape.inputs; ++input) {
      const auto code = static_cast<int8_t>(check.random().integer(-128, 127));
      layer.weight_int8[output * stride + input] = code;
      layer.values[output * shape.inputs + input] = layer.scales[output] * code;
    }
  return layer;
}

// What the product leaves in its output, [rows, width], as f32. `start`: what it finds there, in f32.
std::vector<float> on_device(Check& check, const Shape& shape, const Options& options, const Layer& layer,
                             const std::vector<Bf16>& input, const std::vector<float>& start,
                             int64_t scratch_bytes) {
  const DeviceArray<Bf16> input_array(check, input);
  const DeviceArray<Bf16> weight(check, layer.weight);
  const DeviceArray<int8_t> weight_int8(check, layer.weight_int8);
  const DeviceArray<float> scales(check, layer.scales);
  const DeviceArray<float> bias(check, layer.bias);
  const int64_t width = options.gated ? shape.outputs / 2 : shape.outputs;
  const DeviceArray<Bf16> output(check, options.f32 ? 0 : shape.rows * width);
  DeviceArray<float> output_f32(check, options.f32 ? shape.rows * width : 0);
  if (options.accumulate) output_f32.write(start);

  const DeviceFacts facts = facts_of(check, shape);
  Launch where = check.where();
  where.device = &facts;
  where.scratch_bytes = std::min(where.scratch_bytes, scratch_bytes);
  const Linear args{.input = input_array.data(),
                    .weight = options.int8 ? nullptr : weight.data(),
                    .weight_int8 = options.int8 ? weight_int8.data() : nullptr,
                    .scales = options.int8 ? scales.data() : nullptr,
                    .bias = options.bias ? bias.data() : nullptr,
                    .output = options.f32 ? nullptr : output.data(),
                    .output_f32 = options.f32 ? output_f32.data() : nullptr,
                    .accumulate = options.accumulate,
                    .gated = options.gated,
                    .rows = shape.rows,
                    .inputs = shape.inputs,
                    .outputs = shape.outputs};
  check.finish(options.plan != nullptr ? linear_by_plan(args, *options.plan, where) : linear(args, where));
  return options.f32 ? output_f32.read() : to_floats(output.read());
}

std::vector<float> on_cpu(Check& check, const Shape& shape, const Options& options, Layer layer,
                          const std::vector<Bf16>& input, const std::vector<float>& start) {
  std::vector<float> floats = to_floats(input);
  std::vector<float> output = start;
  const Tensor sources[] = {tensor(layer.values, {shape.outputs, shape.inputs})};
  const WeightMatrix weight = check.cpu().pack_weight(sources, Dtype::kF32);
  check.cpu().run(LinearForward{
      .input = tensor(floats, {shape.rows, shape.inputs}),
      .weight = &weight,
      .bias = options.bias ? tensor(layer.bias, {shape.outputs}) : Tensor(),
      .output = tensor(output, {shape.rows, shape.outputs}),
      .accumulate = options.accumulate,
  });
  if (!options.gated) return output;
  const int64_t inner = shape.outputs / 2;
  std::vector<float> gated;
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t i = 0; i < inner; ++i) {
      const double gate = output[row * shape.outputs + i];
      gated.push_back(
          static_cast<float>(gate / (1 + std::exp(-gate)) * output[row * shape.outputs + inner + i]));
    }
  return gated;
}

void compare_with_cpu(Check& check, const Shape& shape, const Options& options) {
  const Layer layer = make_layer(check, shape, options);
  const std::vector<Bf16> input = check.random().normal_bf16(shape.rows * shape.inputs);
  const std::vector<float> start = check.random().normal(shape.rows * shape.outputs, 10.0f);
  const std::vector<float> actual = on_device(check, shape, options, layer, input, start, INT64_MAX);
  const std::vector<float> expected = on_cpu(check, shape, options, layer, input, start);
  check.close(actual, expected, options.f32 ? kF32Tolerance : kBf16Tolerance, name_of(shape, options));
}

const Test like_cpu("linear", [](Check& check) {
  for (const bool int8 : {false, true}) {
    compare_with_cpu(check, {1, 64, 16, 2}, {.int8 = int8});
    compare_with_cpu(check, {3, 7, 5, 3}, {.int8 = int8, .bias = true});
    compare_with_cpu(check, {2, 130, 33, 4}, {.int8 = int8, .f32 = true});
    if (check.tiny()) continue;
    compare_with_cpu(check, {1, 1, 1, 132}, {.int8 = int8});
    compare_with_cpu(check, {17, 192, 130, 3}, {.int8 = int8, .f32 = true, .accumulate = true});
    compare_with_cpu(check, {33, 203, 77, 5}, {.int8 = int8, .bias = true, .f32 = true, .accumulate = true});
    compare_with_cpu(check, {64, 576, 192, 132}, {.int8 = int8, .bias = true});
    compare_with_cpu(check, {69, 320, 96, 7}, {.int8 = int8});
    compare_with_cpu(check, {90, 100, 50, 6}, {.int8 = int8, .f32 = true});
    compare_with_cpu(check, {128, 257, 101, 9}, {.int8 = int8});
    compare_with_cpu(check, {300, 72, 40, 4}, {.int8 = int8, .f32 = true});
  }
});

const Test gated_like_cpu("linear gated", [](Check& check) {
  for (const bool int8 : {false, true}) {
    compare_with_cpu(check, {3, 24, 30, 3}, {.int8 = int8, .gated = true});
    if (check.tiny()) continue;
    compare_with_cpu(check, {9, 64, 34, 2}, {.int8 = int8, .bias = true, .f32 = true, .gated = true});
    compare_with_cpu(check, {70, 192, 256, 5}, {.int8 = int8, .gated = true});
  }
});

// `splits` 0: dealt to as many workers as the shape has multiprocessors, if there is a chunk for each.
LinearPlan make_plan(const Shape& shape, int element_bytes, int row_warps, int groups, int splits) {
  LinearPlan plan;
  plan.row_warps = row_warps;
  plan.groups = groups;
  plan.splits = splits;
  plan.cut(shape.outputs, shape.inputs, element_bytes);
  plan.workers = splits > 0 ? plan.tiles * splits
                            : static_cast<int>(std::min<int64_t>(shape.multiprocessors, plan.all_chunks()));
  return plan;
}

// Every height of a tile, with as many groups as fit; tiles of one block, of clusters, and of workers whose
// shares end anywhere.
const Test every_plan("linear plans", [](Check& check) {
  for (int row_warps = 1; row_warps <= kLinearWarps; row_warps += check.tiny() ? 3 : 1)
    for (const int splits : {0, 1, 2, 4, 8})
      for (const bool int8 : {false, true}) {
        if (splits > 1 && check.facts().clusters[3] == 0) continue;
        const Shape shape = {check.tiny() ? 3 : 9, check.tiny() ? 600 : 1100, 100, 5};
        const int most_groups = std::min(int8 ? 2 : 4, kLinearWarps / row_warps);
        const int groups = most_groups == 3 ? 2 : most_groups;
        const LinearPlan plan = make_plan(shape, int8 ? 1 : 2, row_warps, groups, splits);
        if (splits > plan.chunks) continue;
        compare_with_cpu(check, shape, {.int8 = int8, .bias = true, .plan = &plan});
        if (row_warps % 2 == 0) compare_with_cpu(check, shape, {.int8 = int8, .gated = true, .plan = &plan});
      }
});

// The workers' shares hold every chunk once, a chunk knows its worker, and clusters run at the same time.
const Test shares("linear shares", [](Check& check) {
  bool seen[9] = {};
  for (int i = 0; i < 600; ++i) {
    const int64_t outputs = check.random().integer(1, 5000);
    const int64_t inputs = check.random().integer(1, 5000);
    DeviceFacts facts;
    facts.multiprocessors = static_cast<int>(check.random().integer(1, 150));
    if (i % 2 == 0)
      for (int log = 0; log < 4; ++log) facts.clusters[log] = facts.multiprocessors >> log;
    const LinearPlan plan = plan_linear(outputs, inputs, 1 + i % 3 / 2, facts);
    seen[plan.splits] = true;
    check.require(plan.workers <= facts.multiprocessors, "all workers run at a time");
    check.require(plan.share(0) == 0 && plan.share(plan.workers) == plan.all_chunks(),
                  "all chunks are dealt");
    for (int worker = 0; worker < plan.workers; ++worker) {
      check.require(plan.share(worker) < plan.share(worker + 1), "every worker has a share");
      check.require(plan.worker_of(plan.share(worker)) == worker, "the first chunk's worker");
      check.require(plan.worker_of(plan.share(worker + 1) - 1) == worker, "the last chunk's worker");
      if (plan.splits > 0 && worker % plan.splits == 0)
        check.require(plan.share(worker) == int64_t{worker / plan.splits} * plan.chunks, "a cluster's tile");
    }
    if (plan.splits > 1)
      check.require(i % 2 == 0 && plan.tiles <= facts.multiprocessors / plan.splits,
                    "a cluster that is none");
  }
  for (const int splits : {0, 1, 2, 4, 8}) check.require(seen[splits], "a kind of plan is never chosen");
});

// The bits of a row are the same alone, at any place among 2 to 130 rows, and in several tiles of rows.
void compare_row_counts(Check& check, const Shape& shape, const Options& options, int64_t step) {
  const Layer layer = make_layer(check, shape, options);
  const std::vector<Bf16> input = check.random().normal_bf16(shape.rows * shape.inputs);
  const std::vector<float> start = check.random().normal(shape.rows * shape.outputs);
  const std::vector<float> together = on_device(check, shape, options, layer, input, start, INT64_MAX);
  const int64_t width = options.gated ? shape.outputs / 2 : shape.outputs;
  for (int64_t rows = 1; rows <= std::min<int64_t>(shape.rows, 130); rows += step) {
    const int64_t first = check.random().integer(0, shape.rows - rows);
    Shape fewer = shape;
    fewer.rows = rows;
    const std::vector<float> alone =
        on_device(check, fewer, options, layer, rows_of(input, first, rows, shape.inputs),
                  options.accumulate ? rows_of(start, first, rows, width) : start, INT64_MAX);
    check.same(alone, rows_of(together, first, rows, width),
               name_of(fewer, options) + " from row " + std::to_string(first));
  }
}

const Test rows_alone("linear rows alone", [](Check& check) {
  if (check.tiny()) {
    compare_row_counts(check, {9, 70, 40, 3}, {.f32 = true}, 4);
    return;
  }
  if (check.facts().clusters[2] > 0) {
    const Shape shape = {130, 600, 100, 8};
    const LinearPlan plan = make_plan(shape, 2, 4, 2, 4);
    compare_row_counts(check, shape, {.f32 = true, .accumulate = true, .plan = &plan}, 13);
  }
  compare_row_counts(check, {300, 203, 77, 5}, {.f32 = true, .accumulate = true}, 1);
  compare_row_counts(check, {130, 203, 77, 5}, {.int8 = true, .f32 = true}, 3);
  compare_row_counts(check, {130, 200, 300, 2}, {.bias = true, .f32 = true}, 7);
  compare_row_counts(check, {80, 128, 60, 3}, {.f32 = true, .gated = true}, 5);
});

// With little scratch memory rows are cut into pieces; the bits stay.
const Test little_scratch("linear little scratch", [](Check& check) {
  const Shape shape = {check.tiny() ? int64_t{9} : int64_t{45}, 200, 70, 3};
  const Options options = {.f32 = true};
  const Layer layer = make_layer(check, shape, options);
  const std::vector<Bf16> input = check.random().normal_bf16(shape.rows * shape.inputs);
  const std::vector<float> plenty = on_device(check, shape, options, layer, input, {}, INT64_MAX);
  constexpr int64_t kEightRows = 3 * 2 * 64 * 8 * 4;  // workers, partial tiles, outputs, rows, bytes
  for (const int64_t eights : {1, 2, 3})
    check.same(on_device(check, shape, options, layer, input, {}, eights * kEightRows), plenty, "output");
});

// A row with NaN or infinity spoils no other row.
const Test contained("linear contained", [](Check& check) {
  const Shape shape = {4, 72, 20, 2};
  const Options options = {.f32 = true};
  const Layer layer = make_layer(check, shape, options);
  std::vector<Bf16> input = check.random().normal_bf16(shape.rows * shape.inputs);
  const std::vector<float> clean = on_device(check, shape, options, layer, input, {}, INT64_MAX);
  input[1 * shape.inputs + 3] = to_bf16(NAN);
  input[2 * shape.inputs + 71] = to_bf16(INFINITY);
  const std::vector<float> spoilt = on_device(check, shape, options, layer, input, {}, INT64_MAX);
  for (const int64_t row : {0, 3})
    check.same(rows_of(spoilt, row, 1, shape.outputs), rows_of(clean, row, 1, shape.outputs), "a clean row");
  for (const int64_t row : {1, 2})
    for (const float value : rows_of(spoilt, row, 1, shape.outputs))
      check.require(!std::isfinite(value), "a spoilt row has a finite output");
});

}  // namespace
}  // namespace msn::kernels::testing
