// Which CUDA device a name stands for.
#pragma once
#include <string>

#include "backend/backend.h"
#include "backend/cuda/cuda_device.h"

namespace msn {

// Why no CUDA device can be had, one sentence; empty when one can.
std::string why_no_cuda();

// 'cuda' (the first device that is supported) or 'cuda:N'. Throws ERR_DEVICE and says why it cannot be had;
// ERR_INVALID_ARGUMENT for another name.
CudaDevice& choose_cuda_device(const std::string& name);

// What a device is; without a backend's threads.
DeviceInfo describe_cuda_device(const CudaDevice& device);

// What is wrong with a device: too old, or lost to this process; empty when it can be used.
std::string why_unusable(const CudaDevice& device);

}  // namespace msn
