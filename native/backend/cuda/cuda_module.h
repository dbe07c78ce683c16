// The CUDA module, found and loaded once per process, and what the machine has for it.
#pragma once
#include <string>

#include "kernels/module.h"

namespace msn {

// Why there is no CUDA on this machine.
enum class CudaObstacle {
  kNone,
  kModuleMissing,  // no file
  kModuleBroken,   // it does not load, or is something else
  kModuleVersion,  // it was built for another addon
  kNoDriver,
  kDriverTooOld,
  kNoDevice,
};

struct CudaModule {
  CudaObstacle obstacle = CudaObstacle::kModuleMissing;
  std::string reason;                          // with an obstacle: what is wrong and what to do, one sentence
  std::string path;                            // the file that was loaded or looked for
  const kernels::Module* functions = nullptr;  // null while the module itself is the obstacle
  int driver_version = 0;                      // as CUDA counts: 13000 is 13.0; 0: no driver
  int runtime_version = 0;
  int devices = 0;

  bool usable() const { return obstacle == CudaObstacle::kNone; }
  bool is_shim() const { return functions != nullptr && functions->is_shim; }
};

// With MSN_CUDA_SHIM=1 the host shim beside the addon, else the file that MSN_CUDA_MODULE names, else
// libmakesomenoise_cuda.so beside the addon. It is never unloaded.
const CudaModule& cuda_module();

std::string cuda_version_name(int version);  // "13.0"

}  // namespace msn
