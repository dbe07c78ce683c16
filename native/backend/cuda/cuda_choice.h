// Which CUDA device a name stands for.
#pragma once
#include <string>

#include "backend/backend.h"
#include "backend/cuda/cuda_device.h"

namespace msn {

// A device of this process, or why it cannot be had: it is too old or too new, lost to this process, or does
// not answer (another process may have it to itself, or have filled its memory).
struct CudaCandidate {
  CudaDevice* device = nullptr;  // null when it does not answer
  std::string obstacle = {};     // one sentence; empty when the device can be used
};
CudaCandidate cuda_candidate(int index);

// Why no CUDA device can be had, one sentence; empty when one can.
std::string why_no_cuda();

// 'cuda' (the first device that is supported) or 'cuda:N'. Throws ERR_DEVICE and says why it cannot be had;
// ERR_INVALID_ARGUMENT for another name.
CudaDevice& choose_cuda_device(const std::string& name);

// What a device is; without a backend's threads.
DeviceInfo describe_cuda_device(const CudaDevice& device);

}  // namespace msn
