// Cuts a micro-batch's tensors out of one allocation.
#include "model/training_activations.h"

namespace msn {
namespace {

// Bytes: what the widest loads of a device and its libraries want.
constexpr int64_t kAlignment = 256;

// Hands out pieces of one allocation; with null it only counts.
class Cutter {
 public:
  Cutter(void* memory, Dtype activations)
      : memory_(static_cast<std::byte*>(memory)), activations_(activations) {}
  Tensor cut(Dtype dtype, std::initializer_list<int64_t> shape) {
    Tensor tensor(memory_ == nullptr ? nullptr : memory_ + offset_, dtype, shape);
    offset_ += (tensor.bytes() + kAlignment - 1) / kAlignment * kAlignment;
    return tensor;
  }
  Tensor activation(std::initializer_list<int64_t> shape) { return cut(activations_, shape); }
  Tensor f32(std::initializer_list<int64_t> shape) { return cut(Dtype::kF32, shape); }
  Tensor i32(std::initializer_list<int64_t> shape) { return cut(Dtype::kI32, shape); }
  Dtype activations() const { return activations_; }
  int64_t bytes() const { return offset_; }

 private:
  std::byte* memory_;
  const Dtype activations_;
  int64_t offset_ = 0;
};

void cut_qkv(Cutter& cutter, const ModelShape& shape, int64_t tokens, LayerActivations& layer) {
  layer.qkv = cutter.activation({tokens, shape.qkv_size()});
}

// All of a layer but its input and qkv.
void cut_layer(Cutter& cutter, const ModelShape& shape, int64_t tokens, LayerActivations& layer) {
  layer.input_inverse_rms = cutter.f32({tokens});
  layer.query = cutter.activation({tokens, shape.heads, shape.head_dim});
  layer.keys = cutter.activation({shape.kv_heads, tokens, shape.head_dim});
  layer.values = cutter.activation({shape.kv_heads, tokens, shape.head_dim});
  layer.attention = cutter.activation({tokens, shape.heads * shape.head_dim});
  layer.log_sum_exp = cutter.f32({shape.heads, tokens});
  layer.middle = cutter.f32({tokens, shape.hidden_size});
  layer.middle_inverse_rms = cutter.f32({tokens});
  layer.gate_up = cutter.activation({tokens, 2 * shape.intermediate_size});
}

void cut_layers(Cutter& cutter, const ModelShape& shape, bool recompute, int64_t tokens,
                std::vector<LayerActivations>& layers) {
  LayerActivations shared;
  if (recompute || !shape.query_key_norm) cut_qkv(cutter, shape, tokens, shared);
  if (recompute) cut_layer(cutter, shape, tokens, shared);
  layers.assign(static_cast<size_t>(shape.layers), shared);
  for (LayerActivations& layer : layers) {
    layer.input = cutter.f32({tokens, shape.hidden_size});
    if (recompute) continue;
    if (shape.query_key_norm) cut_qkv(cutter, shape, tokens, layer);
    cut_layer(cutter, shape, tokens, layer);
  }
}

void cut_scratch(Cutter& cutter, const ModelShape& shape, int64_t tokens, TrainingActivations& activations) {
  const int64_t hidden = shape.hidden_size, inner = shape.intermediate_size, head_dim = shape.head_dim;
  activations.normed = cutter.activation({tokens, hidden});
  activations.inner = cutter.activation({tokens, inner});
  activations.branch = cutter.activation({tokens, hidden});
  activations.gradient = cutter.f32({tokens, hidden});
  activations.rounded_gradient =
      cutter.activations() == Dtype::kF32 ? activations.gradient : cutter.activation({tokens, hidden});
  activations.normed_gradient = cutter.activation({tokens, hidden});
  activations.inner_gradient = cutter.activation({tokens, inner});
  activations.attention_gradient = cutter.activation({tokens, shape.heads * head_dim});
  activations.query_gradient = cutter.activation({tokens, shape.heads, head_dim});
  activations.keys_gradient = cutter.activation({shape.kv_heads, tokens, head_dim});
  activations.values_gradient = cutter.activation({shape.kv_heads, tokens, head_dim});
  activations.qkv_gradient = cutter.activation({tokens, shape.qkv_size()});
}

int64_t cut_all(Cutter cutter, const ModelShape& shape, bool recompute, int64_t tokens, int64_t documents,
                TrainingActivations& activations) {
  activations.tokens = tokens;
  activations.documents = documents;
  activations.ids = cutter.i32({tokens});
  activations.noised = cutter.i32({tokens});
  activations.segment_offset = cutter.i32({tokens});
  activations.loss_mask = cutter.cut(Dtype::kU8, {tokens});
  activations.targets = cutter.i32({tokens});
  activations.positions = cutter.i32({tokens});
  activations.document_offsets = cutter.i32({documents + 1});
  activations.samples = cutter.i32({documents});
  activations.first_row = cutter.i32({1});
  activations.rotary = cutter.f32({tokens, shape.head_dim});
  cut_layers(cutter, shape, recompute, tokens, activations.layers);
  activations.final_input = cutter.f32({tokens, shape.hidden_size});
  activations.final_inverse_rms = cutter.f32({tokens});
  activations.hidden = cutter.activation({tokens, shape.hidden_size});
  activations.losses = cutter.f32({tokens});
  activations.predictions = cutter.i32({tokens});
  cut_scratch(cutter, shape, tokens, activations);
  return cutter.bytes();
}

}  // namespace

const TrainingActivations& TrainingWorkspace::arrange(int64_t tokens, int64_t documents) {
  const auto cut = [&](void* memory) {
    return cut_all(Cutter(memory, backend_.traits().activations), shape_, recompute_, tokens, documents,
                   activations_);
  };
  const int64_t bytes = cut(nullptr);
  if (bytes > storage_.bytes()) {
    storage_ = Buffer();  // the old one first: there may not be room for both
    storage_ = with_memory_advice("These are the activations of a micro-batch of " + std::to_string(tokens) +
                                      " tokens; a smaller batchSize or sequenceLength takes less" +
                                      (recompute_ ? "" : ", and so does gradientCheckpointing: true"),
                                  [&] { return backend_.allocate(bytes); });
  }
  cut(storage_.data());
  return activations_;
}

}  // namespace msn
