// A Hugging Face model as plain lines, written by model_table.py, so that C++ needs no JSON.
#pragma once
#include <string>
#include <vector>

#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn::gpu {

struct ModelTable {
  ModelShape shape;
  std::vector<TensorEntry> tensors;
};
// Throws ERR_MODEL_FORMAT naming the line that makes no sense.
ModelTable read_model_table(const std::string& path);

}  // namespace msn::gpu
