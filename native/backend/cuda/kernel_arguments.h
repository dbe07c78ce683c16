// Tensors as the plain pointers that kernels take; null stands for none on both sides.
#pragma once
#include "kernels/bf16.h"
#include "ops/tensor.h"

namespace msn {

inline const kernels::Bf16* bf16(const Tensor& tensor) { return tensor.as<const kernels::Bf16>(); }
inline kernels::Bf16* mutable_bf16(const Tensor& tensor) { return tensor.as<kernels::Bf16>(); }
inline int32_t* mutable_i32(const Tensor& tensor) { return tensor.as<int32_t>(); }

// The pointer where the tensor has that dtype, else null: for results that are rounded or not.
inline kernels::Bf16* if_bf16(const Tensor& tensor) {
  return tensor.dtype == Dtype::kBf16 ? mutable_bf16(tensor) : nullptr;
}
inline float* if_f32(const Tensor& tensor) {
  return tensor.dtype == Dtype::kF32 ? tensor.mutable_f32() : nullptr;
}

}  // namespace msn
