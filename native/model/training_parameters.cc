// Layout, views and transfer of a trained model's tensors.
#include "model/training_parameters.h"

#include <algorithm>

#include "model/float_values.h"

namespace msn {
namespace {

constexpr int64_t kAlignment = 16;  // f32 elements: 64 bytes

int64_t rounded_up(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

// Whether the tensor continues the matrix or vector that the tensor before it begins.
bool continues(const std::string& name) {
  for (const char* part : {".k_proj.", ".v_proj.", ".up_proj."})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

ParameterLayout::ParameterLayout(const ModelShape& shape) : shape_(shape), specs_(tensor_specs(shape)) {
  for (const bool matrices : {true, false}) {
    for (const TensorSpec& spec : specs_) {
      if ((spec.shape.size() == 2) != matrices) continue;
      if (!continues(spec.name)) elements_ = rounded_up(elements_);
      offsets_[spec.name] = elements_;
      elements_ += element_count(spec);
    }
    elements_ = rounded_up(elements_);
    if (matrices) matrix_elements_ = elements_;
  }
}

ParameterSet::ParameterSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout)
    : backend_(backend), layout_(std::move(layout)), storage_(backend.allocate(layout_->elements() * 4)) {
  const ModelShape& shape = layout_->shape();
  const int64_t hidden = shape.hidden_size, heads_size = shape.heads * shape.head_dim;
  embedding_ = tensor("model.embed_tokens.weight", {shape.vocabulary_size, hidden});
  head_ = shape.tied_head ? embedding_ : tensor("lm_head.weight", {shape.vocabulary_size, hidden});
  final_norm_ = tensor("model.norm.weight", {hidden});
  for (int64_t index = 0; index < shape.layers; ++index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    LayerParameters& layer = layers_.emplace_back();
    layer.input_norm = tensor(prefix + "input_layernorm.weight", {hidden});
    layer.qkv = tensor(prefix + "self_attn.q_proj.weight", {shape.qkv_size(), hidden});
    if (shape.attention_bias) layer.qkv_bias = tensor(prefix + "self_attn.q_proj.bias", {shape.qkv_size()});
    if (shape.query_key_norm) {
      layer.query_norm = tensor(prefix + "self_attn.q_norm.weight", {shape.head_dim});
      layer.key_norm = tensor(prefix + "self_attn.k_norm.weight", {shape.head_dim});
    }
    layer.output = tensor(prefix + "self_attn.o_proj.weight", {hidden, heads_size});
    layer.attention_norm = tensor(prefix + "post_attention_layernorm.weight", {hidden});
    layer.gate_up = tensor(prefix + "mlp.gate_proj.weight", {2 * shape.intermediate_size, hidden});
    layer.down = tensor(prefix + "mlp.down_proj.weight", {hidden, shape.intermediate_size});
  }
}

Tensor ParameterSet::tensor(const std::string& name, std::initializer_list<int64_t> shape) const {
  return {static_cast<float*>(storage_.data()) + layout_->offset(name), Dtype::kF32, shape};
}

Tensor ParameterSet::all() const { return {storage_.data(), Dtype::kF32, {layout_->elements()}}; }

Tensor ParameterSet::matrices() const { return {storage_.data(), Dtype::kF32, {layout_->matrix_elements()}}; }

Tensor ParameterSet::vectors() const {
  return {static_cast<float*>(storage_.data()) + layout_->matrix_elements(),
          Dtype::kF32,
          {layout_->elements() - layout_->matrix_elements()}};
}

void ParameterSet::set_zero() { backend_.fill_zero(storage_.data(), layout_->elements() * 4); }

void ParameterSet::read_from(TensorSource& source) {
  std::vector<float> values;
  for (const TensorSpec& spec : layout_->specs()) {
    const Tensor stored = source.tensor(spec);
    const int64_t bad = find_non_finite(stored, backend_.info().threads);
    if (bad >= 0)
      throw Error(ErrorCode::kModelFormat, "element " + std::to_string(bad) + " is NaN or infinite",
                  spec.name);
    values.resize(static_cast<size_t>(stored.elements()));
    read_as_f32(stored, values.data());
    backend_.copy_from_host(static_cast<float*>(storage_.data()) + layout_->offset(spec.name), values.data(),
                            stored.elements() * 4);
    source.release();
  }
}

void ParameterSet::write_to_host(const TensorSpec& spec, float* values) const {
  backend_.copy_to_host(values, static_cast<float*>(storage_.data()) + layout_->offset(spec.name),
                        element_count(spec) * 4);
}

Tensor ParameterSource::tensor(const TensorSpec& spec) {
  const auto& specs = parameters_.layout().specs();
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& own) { return own.name == spec.name; });
  if (found == specs.end()) throw Error(ErrorCode::kModelFormat, "the model has no such tensor", spec.name);
  if (found->shape != spec.shape)
    throw Error(ErrorCode::kModelFormat, "the tensor has another shape than the one asked for", spec.name);
  std::vector<float>& values = copies_.emplace_back(static_cast<size_t>(element_count(spec)));
  parameters_.write_to_host(spec, values.data());
  Tensor view;
  view.data = values.data();
  view.rank = static_cast<int>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), view.shape.begin());
  return view;
}

}  // namespace msn
