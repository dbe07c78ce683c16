// A model's own weights as a source.
#include "model/model_tensors.h"

namespace msn {

ModelTensors::ModelTensors(const Model& model) : model_(model) {
  for (TensorSpec& spec : tensor_specs(model.shape())) names_.insert(std::move(spec.name));
}

bool ModelTensors::has(const std::string& name) const { return names_.contains(name); }

Tensor ModelTensors::tensor(const TensorSpec& spec) {
  if (!has(spec.name)) throw Error(ErrorCode::kModelFormat, "the model has no such tensor", spec.name);
  Tensor view;
  view.dtype = model_.read_dtype();
  for (int64_t size : spec.shape) view.shape[view.rank++] = size;
  view.data = copies_.emplace_back(static_cast<size_t>(view.bytes())).data();
  model_.read_tensor(spec, view.data);
  return view;
}

}  // namespace msn
