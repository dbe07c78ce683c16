// CUDA as the kernels see it: the toolkit under nvcc, the host shim under a C++ compiler.
#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "kernels/shim/cuda_shim.h"
#endif

#include "kernels/bf16.h"
#include "kernels/launch.h"
