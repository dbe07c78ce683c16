// CUDA for a C++ compiler: kernels compiled against this header run on the CPU, on fibers, with what the
// device does made visible (execution.h). Needs nothing of the CUDA toolkit.
//
// __shared__ is missing on purpose: kernels take dynamic shared memory through shared_memory<T>().
#pragma once
#include <functional>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)

#include "kernels/shim/cuda_runtime.h"
#include "kernels/shim/device_functions.h"

namespace msn::kernels::shim {

// How many clusters of that many blocks run at the same time when each block has a multiprocessor to itself.
int concurrent_clusters(int blocks);

// Enqueues a grid whose every thread runs `body`. A cudaError_t.
int launch(const GridShape& grid, void* stream, std::function<void()> body);

}  // namespace msn::kernels::shim
