// A model's own weights as a source: for saving it, or for training on from it.
#pragma once
#include <string>
#include <unordered_set>
#include <vector>

#include "model/model.h"
#include "model/tensor_source.h"

namespace msn {

class ModelTensors : public TensorSource {
 public:
  // `model` must outlive the source.
  explicit ModelTensors(const Model& model);
  bool has(const std::string& name) const override;
  Tensor tensor(const TensorSpec& spec) override;  // a copy in the model's read_dtype()
  void release() override { copies_.clear(); }

 private:
  const Model& model_;
  std::unordered_set<std::string> names_;
  std::vector<std::vector<uint8_t>> copies_;
};

}  // namespace msn
