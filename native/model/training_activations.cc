// Cuts a micro-batch's tensors out of one allocation.
#include "model/training_activations.h"

#include <algorithm>

namespace msn {
namespace {

// Hands out pieces of one allocation, 64-byte aligned; with null it only counts.
class Cutter {
 public:
  explicit Cutter(void* memory) : memory_(static_cast<std::byte*>(memory)) {}
  Tensor cut(Dtype dtype, std::initializer_list<int64_t> shape) {
    Tensor tensor(memory_ == nullptr ? nullptr : memory_ + offset_, dtype, shape);
    offset_ += (tensor.bytes() + 63) / 64 * 64;
    return tensor;
  }
  Tensor f32(std::initializer_list<int64_t> shape) { return cut(Dtype::kF32, shape); }
  Tensor i32(std::initializer_list<int64_t> shape) { return cut(Dtype::kI32, shape); }
  int64_t bytes() const { return offset_; }

 private:
  std::byte* memory_;
  int64_t offset_ = 0;
};

void cut_layers(Cutter& cutter, const ModelShape& shape, int64_t tokens, TrainingActivations& activations) {
  const int64_t hidden = shape.hidden_size, head_dim = shape.head_dim;
  const Tensor shared_qkv = shape.query_key_norm ? Tensor() : cutter.f32({tokens, shape.qkv_size()});
  activations.layers.resize(shape.layers);
  for (LayerActivations& layer : activations.layers) {
    layer.input = cutter.f32({tokens, hidden});
    layer.input_inverse_rms = cutter.f32({tokens});
    layer.qkv = shape.query_key_norm ? cutter.f32({tokens, shape.qkv_size()}) : shared_qkv;
    layer.query = cutter.f32({tokens, shape.heads, head_dim});
    layer.keys = cutter.f32({shape.kv_heads, tokens, head_dim});
    layer.values = cutter.f32({shape.kv_heads, tokens, head_dim});
    layer.attention = cutter.f32({tokens, shape.heads * head_dim});
    layer.log_sum_exp = cutter.f32({shape.heads, tokens});
    layer.middle = cutter.f32({tokens, hidden});
    layer.middle_inverse_rms = cutter.f32({tokens});
    layer.gate_up = cutter.f32({tokens, 2 * shape.intermediate_size});
  }
}

int64_t cut_all(void* memory, const ModelShape& shape, int64_t tokens, int64_t documents,
                TrainingActivations& activations) {
  const int64_t hidden = shape.hidden_size, inner = shape.intermediate_size, head_dim = shape.head_dim;
  Cutter cutter(memory);
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
  activations.rotary = cutter.f32({tokens, head_dim});
  cut_layers(cutter, shape, tokens, activations);
  activations.final_input = cutter.f32({tokens, hidden});
  activations.final_inverse_rms = cutter.f32({tokens});
  activations.hidden = cutter.f32({tokens, hidden});
  activations.losses = cutter.f32({tokens});
  activations.predictions = cutter.i32({tokens});
  activations.normed = cutter.f32({tokens, hidden});
  activations.inner = cutter.f32({tokens, inner});
  activations.gradient = cutter.f32({tokens, hidden});
  activations.normed_gradient = cutter.f32({tokens, hidden});
  activations.inner_gradient = cutter.f32({tokens, inner});
  activations.attention_gradient = cutter.f32({tokens, shape.heads * head_dim});
  activations.query_gradient = cutter.f32({tokens, shape.heads, head_dim});
  activations.keys_gradient = cutter.f32({shape.kv_heads, tokens, head_dim});
  activations.values_gradient = cutter.f32({shape.kv_heads, tokens, head_dim});
  activations.qkv_gradient = cutter.f32({tokens, shape.qkv_size()});
  return cutter.bytes();
}

}  // namespace

const TrainingActivations& TrainingWorkspace::arrange(int64_t tokens, int64_t documents) {
  const int64_t bytes = cut_all(nullptr, shape_, tokens, documents, activations_);
  if (bytes > storage_.bytes()) {
    storage_ = Buffer();  // the old one first: there may not be room for both
    storage_ = backend_.allocate(bytes);
  }
  cut_all(storage_.data(), shape_, tokens, documents, activations_);
  return activations_;
}

}  // namespace msn
