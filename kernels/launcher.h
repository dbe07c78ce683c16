// The one way in which kernels are launched.
#pragma once
#include "kernels/cuda.h"

namespace msn::kernels {

struct Grid {
  dim3 blocks;
  dim3 threads;
  int64_t shared_bytes = 0;  // dynamic shared memory of a block
  // Consecutive blocks along x that run at the same time and read each other's shared memory: 1, 2, 4 or 8.
  // Above 1 for devices with clusters only (DeviceFacts::clusters), and a divisor of blocks.x.
  int cluster = 1;
};

// The block's dynamic shared memory, aligned to 128 bytes. Static shared memory is not used anywhere: the
// shim has none.
template <class T>
__device__ __forceinline__ T* shared_memory() {
#ifdef __CUDACC__
  extern __shared__ __align__(128) unsigned char msn_dynamic_shared_memory[];
  return reinterpret_cast<T*>(msn_dynamic_shared_memory);
#else
  return reinterpret_cast<T*>(shim::dynamic_shared_memory());
#endif
}

// Launches `kernel(args)`. Where the device can, the kernel may start before the one in front of it has
// ended: every kernel calls wait_for_inputs() (ptx.h) before it reads what an earlier kernel wrote or writes
// anything.
template <class Args>
Status launch(void (*kernel)(Args), const Grid& grid, const Args& args, const Launch& where) {
#ifdef __CUDACC__
  // The limit belongs to the kernel, not to the launch: with the same one for all, no launch takes away what
  // a graph that is recorded here, or another thread's launch, needs.
  if (grid.shared_bytes > 48 * 1024) {
    const cudaError_t status = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                    cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                    where.device->shared_bytes_per_block);
    if (status != cudaSuccess) return status;
  }
  cudaLaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (where.device->dependent_launch) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (grid.cluster > 1) {
    attributes[count].id = cudaLaunchAttributeClusterDimension;
    attributes[count++].val.clusterDim = {static_cast<unsigned>(grid.cluster), 1, 1};
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = static_cast<size_t>(grid.shared_bytes);
  config.stream = static_cast<cudaStream_t>(where.stream);
  config.attrs = attributes;
  config.numAttrs = count;
  return cudaLaunchKernelEx(&config, kernel, args);
#else
  return shim::launch({grid.blocks, grid.threads, static_cast<size_t>(grid.shared_bytes), grid.cluster,
                       where.device->dependent_launch},
                      where.stream, [kernel, args] { kernel(args); });
#endif
}

MSN_HOST_DEVICE constexpr int64_t divided_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace msn::kernels
