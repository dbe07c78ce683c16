// Sums and maxima over a warp and over a block, in one order.
#pragma once
#include "kernels/cuda.h"

namespace msn::kernels {

constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

// Every lane gets the sum; a butterfly, so that all lanes get the same bits.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kWholeWarp, value, distance);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2)
    value = fmaxf(value, __shfl_xor_sync(kWholeWarp, value, distance));
  return value;
}

// Every thread gets the sum over a block of kThreads (a multiple of 32). `partial`: [kThreads / 32] in shared
// memory, free again when all threads have passed the next barrier.
template <int kThreads>
__device__ __forceinline__ float block_sum(float value, float* partial) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += partial[warp];
  return sum;
}

}  // namespace msn::kernels
