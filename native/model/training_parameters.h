// The trained tensors of a model in one allocation each: weights, gradients, first and second moments.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn {

// Where each tensor lies, in f32 elements: all matrices first, then all vectors, which weight decay passes
// over. q, k, v and gate, up follow one another without a gap, so that one product takes them as one matrix.
class ParameterLayout {
 public:
  explicit ParameterLayout(const ModelShape& shape);
  const ModelShape& shape() const { return shape_; }
  const std::vector<TensorSpec>& specs() const { return specs_; }
  int64_t offset(const std::string& name) const { return offsets_.at(name); }
  bool has(const std::string& name) const { return offsets_.contains(name); }
  int64_t matrix_elements() const { return matrix_elements_; }
  int64_t elements() const { return elements_; }

 private:
  ModelShape shape_;
  std::vector<TensorSpec> specs_;
  std::unordered_map<std::string, int64_t> offsets_;
  int64_t matrix_elements_ = 0;
  int64_t elements_ = 0;
};

struct LayerParameters {
  Tensor input_norm;      // [hidden]
  Tensor qkv;             // [(heads + 2 kv_heads) * head_dim, hidden]
  Tensor qkv_bias;        // [(heads + 2 kv_heads) * head_dim] or none
  Tensor query_norm;      // [head_dim] or none
  Tensor key_norm;        // [head_dim] or none
  Tensor output;          // [hidden, heads * head_dim]
  Tensor attention_norm;  // [hidden]
  Tensor gate_up;         // [2 * intermediate, hidden]
  Tensor down;            // [hidden, intermediate]
};

// One allocation in that layout. All tensors are f32 and zero at first.
class ParameterSet {
 public:
  ParameterSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout);
  const ParameterLayout& layout() const { return *layout_; }
  const Tensor& embedding() const { return embedding_; }  // [vocabulary, hidden]
  const Tensor& head() const { return head_; }            // the embedding where the head is tied
  const Tensor& final_norm() const { return final_norm_; }
  const LayerParameters& layer(int64_t index) const { return layers_[index]; }
  Tensor all() const;       // [elements]
  Tensor matrices() const;  // [matrix_elements]
  Tensor vectors() const;   // [elements - matrix_elements]

  void set_zero();
  // Reads every tensor of the layout, any float dtype. Throws ERR_MODEL_FORMAT for missing, misshapen or
  // non-finite tensors; some tensors are then new, some old.
  void read_from(TensorSource& source);
  void write_to_host(const TensorSpec& spec, float* values) const;

 private:
  Tensor tensor(const std::string& name, std::initializer_list<int64_t> shape) const;
  Backend& backend_;
  std::shared_ptr<const ParameterLayout> layout_;
  Buffer storage_;
  Tensor embedding_, head_, final_norm_;
  std::vector<LayerParameters> layers_;
};

// A parameter set as a source of tensors: copies in host memory, so that it serves every backend. The set
// must outlive it.
class ParameterSource : public TensorSource {
 public:
  explicit ParameterSource(const ParameterSet& parameters) : parameters_(parameters) {}
  bool has(const std::string& name) const override { return parameters_.layout().has(name); }
  Tensor tensor(const TensorSpec& spec) override;
  void release() override { copies_.clear(); }

 private:
  const ParameterSet& parameters_;
  std::vector<std::vector<float>> copies_;
};

}  // namespace msn
