// Kernels of one pass behind one another, as the engine enqueues them: where a kernel may start before the
// one in front of it has ended (9.0 and up), overlap changes no bit, neither on a stream nor in a graph.
#include <cmath>
#include <memory>

#include "harness.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/split_heads.h"
#include "kernels/swiglu.h"
#include "kernels/tree_attention.h"

namespace msn::kernels::testing {
namespace {

struct Sizes {
  int64_t layers, rows, heads, kv_heads, head_dim, inner, prefix;  // multiples of 64 where weights have them
  int64_t hidden() const { return heads * head_dim; }
  int64_t qkv() const { return (heads + 2 * kv_heads) * head_dim; }
  int64_t capacity() const { return prefix + rows; }
  int64_t cache() const { return kv_heads * capacity() * head_dim; }
};

// A weight that keeps the size of what it multiplies.
std::vector<Bf16> weight(Check& check, int64_t outputs, int64_t inputs) {
  return check.random().normal_bf16(outputs * inputs, 1 / std::sqrt(static_cast<float>(inputs)));
}

struct Layer {
  Layer(Check& check, const Sizes& sizes)
      : attention_norm(check, check.random().uniform(sizes.hidden(), 0.5f, 1.5f)),
        norm(check, check.random().uniform(sizes.hidden(), 0.5f, 1.5f)),
        qkv(check, weight(check, sizes.qkv(), sizes.hidden())),
        output(check, weight(check, sizes.hidden(), sizes.hidden())),
        gate_up(check, weight(check, 2 * sizes.inner, sizes.hidden())),
        down(check, weight(check, sizes.hidden(), sizes.inner)),
        keys(check, check.random().normal_bf16(sizes.cache())),
        values(check, check.random().normal_bf16(sizes.cache())) {}
  DeviceArray<float> attention_norm, norm;
  DeviceArray<Bf16> qkv, output, gate_up, down, keys, values;
};

class Pass {
 public:
  Pass(Check& check, const Sizes& sizes)
      : check_(check),
        sizes_(sizes),
        input_(check, check.random().normal(sizes.rows * sizes.hidden())),
        residual_(check, sizes.rows * sizes.hidden()),
        rotary_(check, check.random().uniform(sizes.rows * sizes.head_dim, -1.0f, 1.0f)),
        prefix_length_(check, std::vector<int32_t>{static_cast<int32_t>(sizes.prefix)}),
        parents_(check, chain(sizes.rows)),
        normed_(check, sizes.rows * sizes.hidden()),
        qkv_(check, sizes.rows * sizes.qkv()),
        query_(check, sizes.rows * sizes.hidden()),
        attention_(check, sizes.rows * sizes.hidden()),
        gate_up_(check, sizes.rows * 2 * sizes.inner),
        inner_(check, sizes.rows * sizes.inner) {
    for (int64_t i = 0; i < sizes.layers; ++i) layers_.push_back(std::make_unique<Layer>(check, sizes));
  }

  // Enqueues the pass and calls behind() after each kernel.
  template <class Behind>
  void enqueue(const Behind& behind) {
    const auto run = [&](Status status, const char* kernel) {
      check_.ok(status, kernel);
      behind();
    };
    const Launch& where = check_.where();
    run(check_.device().copy(residual_.data(), input_.data(), residual_.count() * 4, where.stream), "copy");
    for (const auto& layer : layers_) {
      run(rms_norm_forward(norm(layer->attention_norm), where), "rms_norm");
      run(linear(product(normed_, layer->qkv, sizes_.hidden(), sizes_.qkv(), &qkv_), where), "linear");
      run(split_heads_forward(split(*layer), where), "split_heads");
      run(tree_attention(attend(*layer), where), "tree_attention");
      run(linear(product(attention_, layer->output, sizes_.hidden(), sizes_.hidden(), nullptr), where),
          "linear");
      run(rms_norm_forward(norm(layer->norm), where), "rms_norm");
      run(linear(product(normed_, layer->gate_up, sizes_.hidden(), 2 * sizes_.inner, &gate_up_), where),
          "linear");
      run(swiglu_forward({gate_up_.data(), inner_.data(), sizes_.rows, sizes_.inner}, where), "swiglu");
      run(linear(product(inner_, layer->down, sizes_.inner, sizes_.hidden(), nullptr), where), "linear");
    }
  }
  std::vector<float> result() const { return residual_.read(); }

 private:
  static std::vector<int32_t> chain(int64_t rows) {
    std::vector<int32_t> parents(static_cast<size_t>(rows));
    for (size_t i = 0; i < parents.size(); ++i) parents[i] = static_cast<int32_t>(i) - 1;
    return parents;
  }
  RmsNormForward norm(const DeviceArray<float>& weight) const {
    return {.input = residual_.data(),
            .addend = nullptr,
            .sum = nullptr,
            .weight = weight.data(),
            .output = normed_.data(),
            .inverse_rms = nullptr,
            .rows = sizes_.rows,
            .width = sizes_.hidden(),
            .epsilon = 1e-5f};
  }
  // `output` null: added to the residual stream.
  Linear product(const DeviceArray<Bf16>& input, const DeviceArray<Bf16>& weight, int64_t inputs,
                 int64_t outputs, const DeviceArray<Bf16>* output) const {
    Linear args{};
    args.input = input.data();
    args.weight = weight.data();
    args.output = output != nullptr ? output->data() : nullptr;
    args.output_f32 = output == nullptr ? residual_.data() : nullptr;
    args.accumulate = output == nullptr;
    args.rows = sizes_.rows;
    args.inputs = inputs;
    args.outputs = outputs;
    return args;
  }
  SplitHeadsForward split(const Layer& layer) const {
    SplitHeadsForward args{};
    args.qkv = qkv_.data();
    args.rotary = rotary_.data();
    args.first_row = prefix_length_.data();
    args.query = query_.data();
    args.keys = layer.keys.data();
    args.values = layer.values.data();
    args.rows = sizes_.rows;
    args.heads = sizes_.heads;
    args.kv_heads = sizes_.kv_heads;
    args.head_dim = sizes_.head_dim;
    args.capacity = sizes_.capacity();
    return args;
  }
  TreeAttention attend(const Layer& layer) const {
    TreeAttention args{};
    args.query = query_.data();
    args.keys = layer.keys.data();
    args.values = layer.values.data();
    args.prefix_length = prefix_length_.data();
    args.parents = parents_.data();
    args.output = attention_.data();
    args.nodes = sizes_.rows;
    args.heads = sizes_.heads;
    args.kv_heads = sizes_.kv_heads;
    args.head_dim = sizes_.head_dim;
    args.capacity = sizes_.capacity();
    args.chain = true;
    return args;
  }

  Check& check_;
  const Sizes sizes_;
  const DeviceArray<float> input_, residual_, rotary_;
  const DeviceArray<int32_t> prefix_length_, parents_;
  const DeviceArray<Bf16> normed_, qkv_, query_, attention_, gate_up_, inner_;
  std::vector<std::unique_ptr<Layer>> layers_;
};

const Test overlap("overlap", [](Check& check) {
  const DeviceFunctions& device = check.device();
  const Stream stream = check.where().stream;
  const bool is_large = check.facts().multiprocessors > 16;  // no shim
  const Sizes sizes = is_large       ? Sizes{2, 16, 8, 2, 128, 2816, 2000}
                      : check.tiny() ? Sizes{1, 3, 2, 1, 64, 64, 70}
                                     : Sizes{2, 9, 4, 2, 64, 192, 200};
  const int repeats = is_large ? 100 : 2;
  Pass pass(check, sizes);
  pass.enqueue([&] { check.ok(device.synchronize(stream), "synchronize behind a kernel"); });
  const std::vector<float> expected = pass.result();
  for (const float value : expected) check.require(std::isfinite(value), "a pass gave no numbers");
  for (int repeat = 0; repeat < repeats; ++repeat) {
    pass.enqueue([] {});
    check.finish(0);
    check.same(pass.result(), expected, "kernels behind one another, pass " + std::to_string(repeat));
  }
  check.ok(device.begin_capture(stream), "begin to record");
  pass.enqueue([] {});
  void* graph = nullptr;
  check.ok(device.end_capture(stream, &graph), "end recording");
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (int at_once = 0; at_once < 3; ++at_once) check.ok(device.launch_graph(graph, stream), "replay");
    check.finish(0);
    check.same(pass.result(), expected, "a graph, pass " + std::to_string(repeat));
  }
  check.ok(device.destroy_graph(graph), "destroy the graph");
});

}  // namespace
}  // namespace msn::kernels::testing
