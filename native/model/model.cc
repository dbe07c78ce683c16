// Packs the weights of a source into the backend's layout, and reads them back.
#include "model/model.h"

#include <cstring>
#include <string_view>

#include "ops/float_values.h"

namespace msn {
namespace {

// Takes tensors out of a source one group at a time: checked, packed, counted, and given back at once.
class Packer {
 public:
  Packer(Backend& backend, TensorSource& source, Dtype dtype, int64_t total_bytes,
         const std::function<void(int64_t, int64_t)>& progress, const CancelToken& cancel)
      : backend_(backend),
        source_(source),
        dtype_(dtype),
        threads_(backend.info().threads),
        total_bytes_(total_bytes),
        progress_(progress),
        cancel_(cancel) {}

  WeightMatrix matrix(std::initializer_list<TensorSpec> stacked) {
    std::vector<Tensor> views;
    for (const TensorSpec& spec : stacked) views.push_back(checked(spec));
    WeightMatrix packed = backend_.pack_weight(views, dtype_);
    done(views);
    return packed;
  }

  // Norms and biases stay f32: they are small, and every sum they enter is f32.
  Buffer vector(std::initializer_list<TensorSpec> joined) {
    std::vector<Tensor> views;
    std::vector<float> values;
    for (const TensorSpec& spec : joined) {
      const Tensor view = checked(spec);
      values.resize(values.size() + view.elements());
      read_as_f32(view, values.data() + values.size() - view.elements());
      views.push_back(view);
    }
    const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(float));
    Buffer buffer = backend_.allocate(bytes);
    backend_.copy_from_host(buffer.data(), values.data(), bytes);
    done(views);
    return buffer;
  }

 private:
  Tensor checked(const TensorSpec& spec) {
    cancel_.throw_if_cancelled();
    const Tensor view = source_.tensor(spec);
    if (view.dtype == Dtype::kI32 || view.dtype == Dtype::kU8)
      throw Error(ErrorCode::kModelFormat, std::string("expected floats, found ") + dtype_name(view.dtype),
                  spec.name);
    const int64_t bad = find_non_finite(view, threads_);
    if (bad >= 0)
      throw Error(ErrorCode::kModelFormat,
                  "element " + std::to_string(bad) +
                      " is NaN or infinite; the file is damaged, or the training that wrote it diverged",
                  spec.name);
    return view;
  }

  void done(const std::vector<Tensor>& views) {
    for (const Tensor& view : views) done_bytes_ += view.elements() * dtype_size(dtype_);
    source_.release();
    if (progress_) progress_(done_bytes_, total_bytes_);
  }

  Backend& backend_;
  TensorSource& source_;
  const Dtype dtype_;
  const int64_t threads_;
  const int64_t total_bytes_;
  int64_t done_bytes_ = 0;
  const std::function<void(int64_t, int64_t)>& progress_;
  const CancelToken& cancel_;
};

LayerWeights pack_layer(Packer& packer, const ModelShape& shape, int64_t index) {
  const int64_t hidden = shape.hidden_size;
  const int64_t query_size = shape.heads * shape.head_dim;
  const int64_t key_size = shape.kv_heads * shape.head_dim;
  const int64_t inner = shape.intermediate_size;
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const auto spec = [&](const char* name, std::vector<int64_t> sizes) {
    return TensorSpec{prefix + name, std::move(sizes)};
  };
  LayerWeights layer;
  layer.input_norm = packer.vector({spec("input_layernorm.weight", {hidden})});
  layer.qkv = packer.matrix({spec("self_attn.q_proj.weight", {query_size, hidden}),
                             spec("self_attn.k_proj.weight", {key_size, hidden}),
                             spec("self_attn.v_proj.weight", {key_size, hidden})});
  if (shape.attention_bias)
    layer.qkv_bias =
        packer.vector({spec("self_attn.q_proj.bias", {query_size}), spec("self_attn.k_proj.bias", {key_size}),
                       spec("self_attn.v_proj.bias", {key_size})});
  if (shape.query_key_norm) {
    layer.query_norm = packer.vector({spec("self_attn.q_norm.weight", {shape.head_dim})});
    layer.key_norm = packer.vector({spec("self_attn.k_norm.weight", {shape.head_dim})});
  }
  layer.output = packer.matrix({spec("self_attn.o_proj.weight", {hidden, query_size})});
  layer.attention_norm = packer.vector({spec("post_attention_layernorm.weight", {hidden})});
  layer.gate_up = packer.matrix(
      {spec("mlp.gate_proj.weight", {inner, hidden}), spec("mlp.up_proj.weight", {inner, hidden})});
  layer.down = packer.matrix({spec("mlp.down_proj.weight", {hidden, inner})});
  return layer;
}

// Where the values of one Hugging Face tensor lie: rows of a packed matrix, or elements of a vector.
struct Place {
  const WeightMatrix* matrix = nullptr;
  const Buffer* vector = nullptr;
  int64_t first = 0;
};

Place place_in_layer(const LayerWeights& layer, const ModelShape& shape, std::string_view name) {
  const int64_t first_key = shape.heads * shape.head_dim;
  const int64_t first_value = first_key + shape.kv_heads * shape.head_dim;
  const std::pair<std::string_view, Place> places[] = {
      {"input_layernorm.weight", {nullptr, &layer.input_norm}},
      {"self_attn.q_proj.weight", {&layer.qkv, nullptr}},
      {"self_attn.k_proj.weight", {&layer.qkv, nullptr, first_key}},
      {"self_attn.v_proj.weight", {&layer.qkv, nullptr, first_value}},
      {"self_attn.q_proj.bias", {nullptr, &layer.qkv_bias}},
      {"self_attn.k_proj.bias", {nullptr, &layer.qkv_bias, first_key}},
      {"self_attn.v_proj.bias", {nullptr, &layer.qkv_bias, first_value}},
      {"self_attn.q_norm.weight", {nullptr, &layer.query_norm}},
      {"self_attn.k_norm.weight", {nullptr, &layer.key_norm}},
      {"self_attn.o_proj.weight", {&layer.output, nullptr}},
      {"post_attention_layernorm.weight", {nullptr, &layer.attention_norm}},
      {"mlp.gate_proj.weight", {&layer.gate_up, nullptr}},
      {"mlp.up_proj.weight", {&layer.gate_up, nullptr, shape.intermediate_size}},
      {"mlp.down_proj.weight", {&layer.down, nullptr}},
  };
  for (const auto& [known, place] : places)
    if (name == known) return place;
  return {};
}

Place find_place(const Model& model, std::string_view name) {
  constexpr std::string_view kLayers = "model.layers.";
  if (name == "model.embed_tokens.weight") return {&model.embedding(), nullptr};
  if (name == "model.norm.weight") return {nullptr, &model.final_norm()};
  if (name == "lm_head.weight" && !model.shape().tied_head) return {&model.head(), nullptr};
  if (!name.starts_with(kLayers)) return {};
  name.remove_prefix(kLayers.size());
  for (int64_t index = 0; index < model.shape().layers; ++index) {
    const std::string prefix = std::to_string(index) + ".";
    if (name.starts_with(prefix))
      return place_in_layer(model.layer(index), model.shape(), name.substr(prefix.size()));
  }
  return {};
}

}  // namespace

Model::Model(std::shared_ptr<Backend> backend, const ModelShape& shape, TensorSource& source,
             const DtypeRequest& dtype, const std::function<void(int64_t, int64_t)>& progress,
             const CancelToken& cancel)
    : backend_(std::move(backend)), shape_(shape), dtype_(backend_->weight_dtype(dtype)) {
  check_shape(shape);
  Packer packer(*backend_, source, dtype_, parameter_count(shape) * dtype_size(dtype_), progress, cancel);
  const std::vector<int64_t> table = {shape.vocabulary_size, shape.hidden_size};
  embedding_ = packer.matrix({{"model.embed_tokens.weight", table}});
  layers_.reserve(shape.layers);
  for (int64_t index = 0; index < shape.layers; ++index) layers_.push_back(pack_layer(packer, shape, index));
  final_norm_ = packer.vector({{"model.norm.weight", {shape.hidden_size}}});
  if (!shape.tied_head) head_ = packer.matrix({{"lm_head.weight", table}});
  idle_ = backend_->make_idle_slot();
}

Model::~Model() { idle_->put(nullptr); }

int64_t Model::weight_bytes() const {
  int64_t bytes = embedding_.storage.bytes() + head_.storage.bytes() + final_norm_.bytes();
  for (const LayerWeights& layer : layers_) {
    for (const WeightMatrix* matrix : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down})
      bytes += matrix->storage.bytes();
    for (const Buffer* vector :
         {&layer.input_norm, &layer.qkv_bias, &layer.query_norm, &layer.key_norm, &layer.attention_norm})
      bytes += vector->bytes();
  }
  return bytes;
}

void Model::read_tensor(const TensorSpec& spec, void* destination) const {
  const Place place = find_place(*this, spec.name);
  if (place.matrix != nullptr && spec.shape.size() == 2) {
    backend_->unpack_weight(*place.matrix, place.first,
                            Tensor(destination, read_dtype(), {spec.shape[0], spec.shape[1]}));
    return;
  }
  if (place.vector == nullptr || spec.shape.size() != 1 || place.vector->bytes() == 0)
    throw Error(ErrorCode::kInvalidArgument, "the model has no such tensor", spec.name);
  std::vector<float> values(spec.shape[0]);
  backend_->copy_to_host(values.data(), static_cast<const float*>(place.vector->data()) + place.first,
                         static_cast<int64_t>(values.size() * sizeof(float)));
  if (read_dtype() == Dtype::kF32) {
    std::memcpy(destination, values.data(), values.size() * sizeof(float));
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = bf16_bits(values[i]);
    std::memcpy(static_cast<std::byte*>(destination) + i * sizeof bits, &bits, sizeof bits);
  }
}

}  // namespace msn
