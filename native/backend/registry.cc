// Which engine a device name stands for.
#include "backend/backend.h"
#include "backend/cpu_backend.h"
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

}  // namespace

std::shared_ptr<Backend> make_backend(const BackendOptions& options, std::string* reason) {
  const std::string& device = options.device;
  if (device == "cuda" || device.rfind("cuda:", 0) == 0)
    throw Error(ErrorCode::kDevice, "this build has no CUDA engine; use 'cpu' or 'auto'", "device");
  if (device != "auto" && device != "cpu")
    throw Error(ErrorCode::kInvalidArgument, "expected auto, cpu, cuda or cuda:N, received " + device,
                "device");
  if (options.threads < 0 || options.threads > kMostThreads)
    throw Error(ErrorCode::kInvalidArgument,
                "expected an integer from 0 to " + std::to_string(kMostThreads) + ", received " +
                    std::to_string(options.threads),
                "threads");
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  if (reason != nullptr)
    *reason = device == "auto" ? "The CPU engine, because this build has no CUDA engine."
                               : "The CPU engine, as asked.";
  return make_cpu_backend(threads, instruction_set(options.instructions));
}

}  // namespace msn
