// Which engine a device name stands for.
#include "backend/backend.h"
#include "backend/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_choice.h"
#include "backend/processor.h"

namespace msn {
namespace {

constexpr int kMostThreads = 1024;

InstructionSet instruction_set(const std::string& name) {
  const InstructionSet best = best_instruction_set();
  if (name.empty()) return best;
  for (const InstructionSet set :
       {InstructionSet::kGeneric, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (name != instruction_set_name(set)) continue;
    if (set <= best) return set;
    throw Error(ErrorCode::kUnsupported,
                "this processor has no " + name + ", its best is " + instruction_set_name(best),
                "instructions");
  }
  throw Error(ErrorCode::kInvalidArgument, "expected generic, avx2 or avx512, received " + name,
              "instructions");
}

bool names_cuda(const std::string& device) { return device == "cuda" || device.starts_with("cuda:"); }

std::string described(const CudaDevice& device) { return device.kind() + " (" + device.name() + ")"; }

// Why 'auto' takes the CPU, one clause; empty when it takes CUDA.
std::string why_not_cuda() {
  // The shim runs kernels on the CPU, slowly, to check them: nobody's best device.
  if (cuda_module().is_shim()) return "the CUDA module is the host shim, which is for tests";
  return why_no_cuda();
}

int host_threads(const BackendOptions& options) {
  if (options.threads < 0 || options.threads > kMostThreads)
    throw Error(ErrorCode::kInvalidArgument,
                "expected an integer from 0 to " + std::to_string(kMostThreads) + ", received " +
                    std::to_string(options.threads),
                "threads");
  return options.threads > 0 ? options.threads : usable_cores();
}

}  // namespace

std::shared_ptr<Backend> make_backend(const BackendOptions& options, std::string* reason) {
  const std::string& device = options.device;
  if (device != "auto" && device != "cpu" && !names_cuda(device))
    throw Error(ErrorCode::kInvalidArgument, "expected auto, cpu, cuda or cuda:N, received " + device,
                "device");
  const bool automatic = device == "auto";
  const int threads = host_threads(options);
  const InstructionSet instructions = instruction_set(options.instructions);
  const std::string obstacle = automatic ? why_not_cuda() : "";
  if (names_cuda(device) || (automatic && obstacle.empty())) {
    CudaDevice& chosen = choose_cuda_device(automatic ? "cuda" : device);
    if (reason != nullptr)
      *reason = "The CUDA engine on " + described(chosen) +
                (automatic ? ", because there is a driver and a supported device." : ", as asked.");
    return std::make_shared<CudaBackend>(
        chosen, CudaBackendOptions{.threads = threads, .chosen_automatically = automatic});
  }
  if (reason != nullptr)
    *reason = "The CPU engine, " + (automatic ? "because " + obstacle : "as asked") + ".";
  return make_cpu_backend(threads, instructions);
}

std::vector<DeviceListing> list_devices() {
  std::vector<DeviceListing> list;
  list.push_back(
      {.info = make_cpu_backend(usable_cores(), best_instruction_set())->info(), .available = true});
  const CudaModule& module = cuda_module();
  if (!module.usable()) list.push_back({.info = {.kind = "cuda"}, .reason = module.reason});
  for (int index = 0; module.usable() && index < module.devices; ++index) {
    const CudaCandidate candidate = cuda_candidate(index);
    list.push_back({.info = candidate.device != nullptr ? describe_cuda_device(*candidate.device)
                                                        : DeviceInfo{.kind = cuda_device_kind(index)},
                    .available = candidate.obstacle.empty(),
                    .reason = candidate.obstacle});
  }
  return list;
}

}  // namespace msn
