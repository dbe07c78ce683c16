// Layout, views and transfer of a trained model's tensors.
#include "model/training_parameters.h"

#include <algorithm>

#include "ops/adamw.h"
#include "ops/float_values.h"

namespace msn {
namespace {

// A block of 8-bit moments then lies within one group.
constexpr int64_t kAlignment = kMomentBlock;

int64_t rounded_up(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

// Whether the tensor continues the matrix or vector that the tensor before it begins.
bool continues(const std::string& name) {
  for (const char* part : {".k_proj.", ".v_proj.", ".up_proj."})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

// Where the tensors of a set lie; matrices may be of another dtype than vectors.
struct Place {
  const ParameterLayout& layout;
  void* matrices;  // of element 0
  Dtype matrix_dtype;
  void* vectors;  // of element 0, f32

  Tensor matrix(const std::string& name, int64_t rows, int64_t columns) const {
    return {static_cast<std::byte*>(matrices) + layout.offset(name) * dtype_size(matrix_dtype),
            matrix_dtype,
            {rows, columns}};
  }
  Tensor vector(const std::string& name, int64_t elements) const {
    return {static_cast<float*>(vectors) + layout.offset(name), Dtype::kF32, {elements}};
  }
};

ParameterViews view(const Place& place) {
  const ModelShape& shape = place.layout.shape();
  const int64_t hidden = shape.hidden_size, heads_size = shape.heads * shape.head_dim;
  ParameterViews views;
  views.embedding = place.matrix("model.embed_tokens.weight", shape.vocabulary_size, hidden);
  views.head =
      shape.tied_head ? views.embedding : place.matrix("lm_head.weight", shape.vocabulary_size, hidden);
  views.final_norm = place.vector("model.norm.weight", hidden);
  for (int64_t index = 0; index < shape.layers; ++index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    LayerParameters& layer = views.layers.emplace_back();
    layer.input_norm = place.vector(prefix + "input_layernorm.weight", hidden);
    layer.qkv = place.matrix(prefix + "self_attn.q_proj.weight", shape.qkv_size(), hidden);
    if (shape.attention_bias)
      layer.qkv_bias = place.vector(prefix + "self_attn.q_proj.bias", shape.qkv_size());
    if (shape.query_key_norm) {
      layer.query_norm = place.vector(prefix + "self_attn.q_norm.weight", shape.head_dim);
      layer.key_norm = place.vector(prefix + "self_attn.k_norm.weight", shape.head_dim);
    }
    layer.output = place.matrix(prefix + "self_attn.o_proj.weight", hidden, heads_size);
    layer.attention_norm = place.vector(prefix + "post_attention_layernorm.weight", hidden);
    layer.gate_up = place.matrix(prefix + "mlp.gate_proj.weight", 2 * shape.intermediate_size, hidden);
    layer.down = place.matrix(prefix + "mlp.down_proj.weight", hidden, shape.intermediate_size);
  }
  return views;
}

}  // namespace

ParameterLayout::ParameterLayout(const ModelShape& shape) : shape_(shape) {
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  for (const bool matrices : {true, false}) {
    for (const TensorSpec& spec : specs) {
      if ((spec.shape.size() == 2) != matrices) continue;
      if (!continues(spec.name)) {
        elements_ = rounded_up(elements_);
        groups_.emplace_back().offset = elements_;
      }
      offsets_[spec.name] = elements_;
      elements_ += element_count(spec);
      groups_.back().elements += element_count(spec);
      groups_.back().specs.push_back(spec);
    }
    elements_ = rounded_up(elements_);
    if (matrices) matrix_elements_ = elements_;
  }
}

void read_groups(const ParameterLayout& layout, TensorSource& source, int64_t threads,
                 const std::function<void(const ParameterGroup&, std::span<const float>)>& take) {
  std::vector<float> values;
  for (const ParameterGroup& group : layout.groups()) {
    values.resize(static_cast<size_t>(group.elements));
    float* next = values.data();
    for (const TensorSpec& spec : group.specs) {
      const Tensor stored = source.tensor(spec);
      const int64_t bad = find_non_finite(stored, threads);
      if (bad >= 0)
        throw Error(ErrorCode::kModelFormat, "element " + std::to_string(bad) + " is NaN or infinite",
                    spec.name);
      read_as_f32(stored, next);
      next += stored.elements();
    }
    source.release();
    take(group, values);
  }
}

ParameterSet::ParameterSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout)
    : backend_(backend),
      layout_(std::move(layout)),
      storage_(backend.allocate(layout_->elements() * 4)),
      views_(view({*layout_, storage_.data(), Dtype::kF32, storage_.data()})) {}

Tensor ParameterSet::all() const { return {storage_.data(), Dtype::kF32, {layout_->elements()}}; }

Tensor ParameterSet::matrices() const { return {storage_.data(), Dtype::kF32, {layout_->matrix_elements()}}; }

Tensor ParameterSet::vectors() const {
  return {static_cast<float*>(storage_.data()) + layout_->matrix_elements(),
          Dtype::kF32,
          {layout_->elements() - layout_->matrix_elements()}};
}

void ParameterSet::set_zero() { backend_.fill_zero(storage_.data(), storage_.bytes()); }

void ParameterSet::write(const ParameterGroup& group, std::span<const float> values) {
  backend_.copy_from_host(static_cast<float*>(storage_.data()) + group.offset, values.data(),
                          static_cast<int64_t>(values.size_bytes()));
}

void ParameterSet::write_to_host(const TensorSpec& spec, float* values) const {
  backend_.copy_to_host(values, static_cast<float*>(storage_.data()) + layout_->offset(spec.name),
                        element_count(spec) * 4);
}

TrainedWeights::TrainedWeights(Backend& backend, std::shared_ptr<const ParameterLayout> layout)
    : backend_(backend), master_(backend, std::move(layout)), for_products_(master_.views()) {
  const Dtype dtype = backend.traits().activations;
  if (dtype == Dtype::kF32) return;
  const int64_t elements = master_.layout().matrix_elements();
  storage_ = backend.allocate(elements * dtype_size(dtype));
  rounded_ = Tensor(storage_.data(), dtype, {elements});
  for_products_ = view({master_.layout(), storage_.data(), dtype, master_.all().data});
}

void TrainedWeights::read_from(TensorSource& source) {
  std::vector<uint16_t> bits;
  const auto take = [&](const ParameterGroup& group, std::span<const float> values) {
    master_.write(group, values);
    if (!rounded_ || group.offset >= master_.layout().matrix_elements()) return;
    bits.resize(values.size());
    std::transform(values.begin(), values.end(), bits.begin(), bf16_bits);
    backend_.copy_from_host(rounded_.as<uint16_t>() + group.offset, bits.data(), group.elements * 2);
  };
  read_groups(master_.layout(), source, backend_.info().threads, take);
}

Tensor ParameterSource::tensor(const TensorSpec& spec) {
  if (!has(spec.name)) throw Error(ErrorCode::kModelFormat, "the model has no such tensor", spec.name);
  Tensor view;
  view.rank = static_cast<int>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), view.shape.begin());
  std::vector<float>& values = copies_.emplace_back(static_cast<size_t>(element_count(spec)));
  write_to_host_(spec, values.data());
  view.data = values.data();
  return view;
}

}  // namespace msn
