// A packed weight of the CUDA engine, as kernels see it.
#pragma once
#include "kernels/bf16.h"
#include "kernels/weight_layout.h"
#include "ops/tensor.h"

namespace msn {

struct WeightPointers {
  explicit WeightPointers(const WeightMatrix& weight) : stride(kernels::weight_stride(weight.inputs)) {
    const auto* const storage = static_cast<const std::byte*>(weight.storage.data());
    if (weight.dtype == Dtype::kI8) {
      int8 = reinterpret_cast<const int8_t*>(storage);
      scales = reinterpret_cast<const float*>(storage +
                                              kernels::weight_value_bytes(weight.outputs, weight.inputs, 1));
    } else {
      bf16 = reinterpret_cast<const kernels::Bf16*>(storage);
    }
  }
  const kernels::Bf16* bf16 = nullptr;  // [outputs, stride], or null for int8
  const int8_t* int8 = nullptr;         // [outputs, stride], or null
  const float* scales = nullptr;        // [outputs] with int8
  int64_t stride;
};

}  // namespace msn
