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

std::shared_ptr<Backend> make_cuda_backend(CudaDevice& device) {
  return std::make_shared<CudaBackend>(device);
}

}  // namespace

std::shared_ptr<Backend> make_backend(const BackendOptions& options, std::string* reason) {
  const std::string& device = options.device;
  if (device != "auto" && device != "cpu" && !names_cuda(device))
    throw Error(ErrorCode::kInvalidArgument, "expected auto, cpu, cuda or cuda:N, received " + device,
                "device");
  if (options.threads < 0 || options.threads > kMostThreads)
    throw Error(ErrorCode::kInvalidArgument,
                "expected an integer from 0 to " + std::to_string(kMostThreads) + ", received " +
                    std::to_string(options.threads),
                "threads");
  std::string why_cpu = "as asked";
  std::string ignored;
  std::string& why = reason != nullptr ? *reason : ignored;
  if (names_cuda(device)) {
    CudaDevice& chosen = choose_cuda_device(device);
    why = "The CUDA engine on " + described(chosen) + ", as asked.";
    return make_cuda_backend(chosen);
  }
  if (device == "auto") {
    // The shim runs kernels on the CPU, slowly, to check them: nobody's best device.
    why_cpu = "because " +
              (cuda_module().is_shim() ? "the CUDA module is the host shim, for tests" : why_no_cuda());
    if (why_no_cuda().empty() && !cuda_module().is_shim()) {
      CudaDevice& chosen = choose_cuda_device("cuda");
      why =
          "The CUDA engine on " + described(chosen) + ", because a driver and a supported device are there.";
      return make_cuda_backend(chosen);
    }
  }
  why = "The CPU engine, " + why_cpu + ".";
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  return make_cpu_backend(threads, instruction_set(options.instructions));
}

}  // namespace msn
