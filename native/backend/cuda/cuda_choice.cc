// The device behind 'cuda' and 'cuda:N', or why there is none.
#include "backend/cuda/cuda_choice.h"

#include <charconv>

#include "backend/cuda/cublaslt_library.h"

namespace msn {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorCode::kDevice, reason + "; device 'cpu' computes without CUDA", "device");
}

std::string device_list() {
  std::string list;
  for (int index = 0; index < cuda_module().devices; ++index) {
    const CudaDevice* const device = cuda_candidate(index).device;
    list += (index == 0 ? "" : ", ") + cuda_device_kind(index) +
            (device != nullptr ? " (" + device->name() + ")" : "");
  }
  return list;
}

// The number behind "cuda:"; refuses anything else.
int64_t device_number(const std::string& name) {
  constexpr size_t kPrefix = sizeof "cuda:" - 1;
  int64_t number = -1;
  const char *first = name.data() + kPrefix, *last = name.data() + name.size();
  const auto [end, failure] = std::from_chars(first, last, number);
  if (first == last || failure != std::errc() || end != last || number < 0)
    throw Error(ErrorCode::kInvalidArgument, "expected auto, cpu, cuda or cuda:N, received " + name,
                "device");
  return number;
}

}  // namespace

CudaCandidate cuda_candidate(int index) {
  try {
    CudaDevice& device = CudaDevice::at(index);
    const std::string capability =
        device.kind() + " (" + device.name() + ") has compute capability " + device.compute_capability();
    if (!device.supported()) return {&device, capability + ", at least 8.0 is needed"};
    if (!device.has_code())
      return {&device, capability + ", and this build has kernels for " + device.functions().architectures +
                           " alone; build it here with: npm_config_build_from_source=true npm rebuild "
                           "makesomenoise"};
    return {&device, device.why_lost()};
  } catch (const Error& error) {
    return {nullptr, cuda_device_kind(index) + " does not answer: " + error.what()};
  }
}

DeviceInfo describe_cuda_device(const CudaDevice& device) {
  return {.kind = device.kind(),
          .name = device.name(),
          .compute_capability = device.compute_capability(),
          .shim = device.functions().is_shim,
          .library = cublaslt_library().describe(),
          .memory_bytes = device.memory_bytes(),
          .free_bytes = device.free_bytes()};
}

std::string why_no_cuda() {
  const CudaModule& module = cuda_module();
  if (!module.usable()) return module.reason;
  std::string obstacles;
  for (int index = 0; index < module.devices; ++index) {
    const std::string obstacle = cuda_candidate(index).obstacle;
    if (obstacle.empty()) return {};
    obstacles += (index == 0 ? "" : "; ") + obstacle;
  }
  return obstacles;
}

CudaDevice& choose_cuda_device(const std::string& name) {
  const CudaModule& module = cuda_module();
  const int64_t number = name == "cuda" ? -1 : device_number(name);
  if (!module.usable()) refuse(module.reason);
  if (number < 0) {
    for (int index = 0; index < module.devices; ++index)
      if (const CudaCandidate candidate = cuda_candidate(index); candidate.obstacle.empty())
        return *candidate.device;
    refuse(why_no_cuda());
  }
  if (number >= module.devices)
    refuse("there is no " + name + ": this process sees " + device_list() +
           " (CUDA_VISIBLE_DEVICES may hide others)");
  const CudaCandidate candidate = cuda_candidate(static_cast<int>(number));
  if (!candidate.obstacle.empty()) refuse(candidate.obstacle);
  return *candidate.device;
}

}  // namespace msn
