// An inference model: its shape and its weights in the layout its backend multiplies with.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/cancel.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn {

struct LayerWeights {
  Buffer input_norm;      // f32 [hidden]
  WeightMatrix qkv;       // [(heads + 2 kv_heads) * head_dim, hidden]: q, k, v stacked
  Buffer qkv_bias;        // f32 [(heads + 2 kv_heads) * head_dim] or empty
  Buffer query_norm;      // f32 [head_dim] or empty
  Buffer key_norm;        // f32 [head_dim] or empty
  WeightMatrix output;    // [hidden, heads * head_dim]
  Buffer attention_norm;  // f32 [hidden]: post_attention_layernorm
  WeightMatrix gate_up;   // [2 * intermediate, hidden]: gate, up stacked
  WeightMatrix down;      // [hidden, intermediate]
};

class Model {
 public:
  // Packs every weight of `source`; `dtype` says as what (a Dtype: that and nothing else). `progress` (may be
  // empty) is told bytes done and total. Throws ERR_MODEL_FORMAT for a missing or misshapen tensor and for
  // NaN or infinite weights, naming the tensor, ERR_UNSUPPORTED for a dtype that the backend does not compute
  // with.
  Model(std::shared_ptr<Backend> backend, const ModelShape& shape, TensorSource& source,
        const DtypeRequest& dtype, const std::function<void(int64_t done, int64_t total)>& progress,
        const CancelToken& cancel);
  ~Model();

  Backend& backend() const { return *backend_; }
  const std::shared_ptr<Backend>& shared_backend() const { return backend_; }
  const ModelShape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }  // of the matrices
  int64_t weight_bytes() const;
  const WeightMatrix& embedding() const { return embedding_; }
  const WeightMatrix& head() const { return shape_.tied_head ? embedding_ : head_; }
  const Buffer& final_norm() const { return final_norm_; }
  const LayerWeights& layer(int64_t index) const { return layers_[index]; }

  // What read_tensor() gives: the model's dtype, f32 for int8.
  Dtype read_dtype() const { return dtype_ == Dtype::kI8 ? Dtype::kF32 : dtype_; }
  // The tensor in host memory under its Hugging Face name, plain row-major, in read_dtype() (norms and biases
  // too); for `save`. `destination` has elements(spec) * dtype_size(read_dtype()) bytes.
  void read_tensor(const TensorSpec& spec, void* destination) const;

  // For what works on this model and can be taken up again; destroyed before the model.
  IdleSlot& idle() const { return *idle_; }

 private:
  std::shared_ptr<Backend> backend_;
  ModelShape shape_;
  Dtype dtype_;
  WeightMatrix embedding_;
  WeightMatrix head_;
  Buffer final_norm_;
  std::vector<LayerWeights> layers_;
  std::shared_ptr<IdleSlot> idle_;
};

}  // namespace msn
