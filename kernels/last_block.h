// How the blocks that share one result find out which of them arrives last and puts the parts together.
#pragma once
#include "kernels/cuda.h"

namespace msn::kernels {

// True in every thread of the block that is the last of `blocks` to call with this ticket; what the others
// wrote before their call is visible to it. The ticket is zero before and zero again afterwards. `flag`: [1]
// in shared memory, free again after the next barrier.
__device__ __forceinline__ bool arrives_last(uint32_t* ticket, unsigned blocks, unsigned* flag) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const bool last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) atomicExch(ticket, 0u);  // a plain store would race with the others' addition
    *flag = last ? 1 : 0;
  }
  __syncthreads();
  const bool last = *flag != 0;
  if (last) __threadfence();
  return last;
}

}  // namespace msn::kernels
