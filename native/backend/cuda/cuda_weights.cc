// Weights of the CUDA engine.
#include "backend/cuda/cuda_backend.h"

namespace msn {

WeightMatrix CudaBackend::pack_weight(std::span<const Tensor>, Dtype) { refuse_unmapped("pack_weight"); }
void CudaBackend::unpack_weight(const WeightMatrix&, int64_t, const Tensor&) {
  refuse_unmapped("unpack_weight");
}

}  // namespace msn
