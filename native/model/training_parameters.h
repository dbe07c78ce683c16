// The trained tensors of a model in one allocation each: weights, their copy for products, gradients.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn {

// Tensors that follow one another without a gap, so that one product takes them as one matrix: q, k, v; gate,
// up; and every other tensor alone.
struct ParameterGroup {
  int64_t offset = 0;  // a multiple of kMomentBlock
  int64_t elements = 0;
  std::vector<TensorSpec> specs;
};

// Where each tensor lies, in elements: all matrices first, then all vectors, which weight decay passes over.
class ParameterLayout {
 public:
  explicit ParameterLayout(const ModelShape& shape);
  const ModelShape& shape() const { return shape_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }
  int64_t offset(const std::string& name) const { return offsets_.at(name); }
  bool has(const std::string& name) const { return offsets_.contains(name); }
  // Both are multiples of kMomentBlock.
  int64_t matrix_elements() const { return matrix_elements_; }
  int64_t elements() const { return elements_; }

 private:
  ModelShape shape_;
  std::vector<ParameterGroup> groups_;  // in ascending order
  std::unordered_map<std::string, int64_t> offsets_;
  int64_t matrix_elements_ = 0;
  int64_t elements_ = 0;
};

// Reads every tensor of the layout, any float dtype, and hands out a group at a time as f32 in host memory.
// Throws ERR_MODEL_FORMAT for missing, misshapen or non-finite tensors.
void read_groups(const ParameterLayout& layout, TensorSource& source, int64_t threads,
                 const std::function<void(const ParameterGroup& group, std::span<const float> values)>& take);

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

// A set's tensors as the passes take them.
struct ParameterViews {
  Tensor embedding;   // [vocabulary, hidden]
  Tensor head;        // [vocabulary, hidden]: the embedding where the head is tied
  Tensor final_norm;  // [hidden]
  std::vector<LayerParameters> layers;
};

// One allocation in that layout. All tensors are f32 and zero at first.
class ParameterSet {
 public:
  ParameterSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout);
  const ParameterLayout& layout() const { return *layout_; }
  const ParameterViews& views() const { return views_; }
  Tensor all() const;       // [elements]
  Tensor matrices() const;  // [matrix_elements]
  Tensor vectors() const;   // [elements - matrix_elements]
  int64_t bytes() const { return storage_.bytes(); }

  void set_zero();
  void write(const ParameterGroup& group, std::span<const float> values);
  void write_to_host(const TensorSpec& spec, float* values) const;

 private:
  Backend& backend_;
  std::shared_ptr<const ParameterLayout> layout_;
  Buffer storage_;
  ParameterViews views_;
};

// The weights of a training run: f32 masters, which the optimizer updates, and the matrices once more in the
// dtype that products take. Where that is f32 too, the masters serve for both.
class TrainedWeights {
 public:
  TrainedWeights(Backend& backend, std::shared_ptr<const ParameterLayout> layout);
  const ParameterSet& master() const { return master_; }
  // Matrices in the backend's activation dtype; vectors are the masters.
  const ParameterViews& for_products() const { return for_products_; }
  // [matrix_elements] in the activation dtype, always the rounded masters; none where the masters serve.
  const Tensor& rounded() const { return rounded_; }
  int64_t bytes() const { return master_.bytes() + storage_.bytes(); }
  // See read_groups; when it throws, some tensors are new, some old.
  void read_from(TensorSource& source);

 private:
  Backend& backend_;
  ParameterSet master_;
  Buffer storage_;
  Tensor rounded_;
  ParameterViews for_products_;
};

// A set of a layout's tensors as a source: copies in host memory, so that it serves every backend. What
// `write_to_host` reads from must outlive it.
class ParameterSource : public TensorSource {
 public:
  using WriteToHost = std::function<void(const TensorSpec& spec, float* values)>;
  ParameterSource(const ParameterLayout& layout, WriteToHost write_to_host)
      : layout_(layout), write_to_host_(std::move(write_to_host)) {}
  bool has(const std::string& name) const override { return layout_.has(name); }
  Tensor tensor(const TensorSpec& spec) override;
  void release() override { copies_.clear(); }

 private:
  const ParameterLayout& layout_;
  WriteToHost write_to_host_;
  std::vector<std::vector<float>> copies_;
};

}  // namespace msn
