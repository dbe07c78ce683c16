// Saves tensors of a source (a model's weights, a trainer's state) to a safetensors file.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn {

struct TensorExport {
  std::string path;
  std::vector<uint8_t> header;     // the whole safetensors header, length prefix included
  std::vector<std::string> names;  // in the order in which the header lists their bytes
  Dtype dtype = Dtype::kF32;       // written: kF32 or kBf16 (round to nearest even)
};

// Throws ERR_INVALID_ARGUMENT for a name that a model of this shape does not have, before a file is made, and
// what write_tensor_file throws.
void export_tensors(TensorSource& source, const ModelShape& shape, const TensorExport& request,
                    const CancelToken& cancel);

}  // namespace msn
