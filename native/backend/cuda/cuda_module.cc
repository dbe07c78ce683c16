// Finds the CUDA module, loads it, and asks for driver and devices before anything else touches them.
#include "backend/cuda/cuda_module.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

#include "backend/cuda/library_files.h"

namespace msn {
namespace {

constexpr kernels::Status kNoDevice = 100;  // cudaErrorNoDevice
constexpr const char* kModuleFile = "libmakesomenoise_cuda.so";
constexpr const char* kShimFile = "libmakesomenoise_cuda_shim.so";

// Before 12.3 a driver can neither load a kernel while a stream is captured nor record that it may start
// early.
constexpr int kLeastCudaVersion = 12030;

// What a driver has to support: the major version that the module was built with.
int needed_version(int runtime_version) { return std::max(runtime_version / 1000 * 1000, kLeastCudaVersion); }

// The lowest NVIDIA driver that does, as the release notes of the toolkit list it.
std::string needed_driver(int runtime_version) {
  const char* driver = runtime_version / 1000 >= 13 ? "580" : "545";
  return std::string("driver ") + driver + " or newer";
}

bool shim_wanted() {
  const std::string value = environment("MSN_CUDA_SHIM");
  return !value.empty() && value != "0";
}

std::filesystem::path module_path() {
  if (shim_wanted()) return addon_folder() / kShimFile;
  const std::string named = environment("MSN_CUDA_MODULE");
  return named.empty() ? addon_folder() / kModuleFile : std::filesystem::path(named);
}

std::string missing_module(const std::filesystem::path& path) {
  if (shim_wanted())
    return "MSN_CUDA_SHIM is set, but " + path.string() + " does not exist; run: npm run build:shim";
  return "this build has no CUDA module (" + path.string() +
         " does not exist); install the CUDA toolkit and run: "
         "npm_config_build_from_source=true npm rebuild makesomenoise";
}

void load(CudaModule& module, const std::filesystem::path& path) {
  module.path = path.string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    module.reason = missing_module(path);
    return;
  }
  const auto broken = [&](const std::string& why) {
    module.obstacle = CudaObstacle::kModuleBroken;
    module.reason = "the CUDA module " + module.path + " cannot be used (" + why +
                    "); reinstall makesomenoise, or build it here with: "
                    "npm_config_build_from_source=true npm rebuild makesomenoise";
  };
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return broken(why != nullptr ? why : "it does not load");
  }
  const auto entry = reinterpret_cast<MsnCudaModuleFunction>(dlsym(library, "msn_cuda_module"));
  if (entry == nullptr) return broken("it has no function msn_cuda_module");
  const kernels::Module* functions = entry();
  if (functions == nullptr) return broken("it offers nothing");
  if (functions->version != kernels::kModuleVersion) {
    broken("its version is " + std::to_string(functions->version) + ", this addon needs " +
           std::to_string(kernels::kModuleVersion));
    module.obstacle = CudaObstacle::kModuleVersion;
    return;
  }
  module.functions = functions;
}

// The driver first: without one, the count of devices fails for a reason that misleads.
void ask_driver(CudaModule& module) {
  const kernels::DeviceFunctions& device = module.functions->device;
  const auto obstacle = [&module](CudaObstacle kind, const std::string& reason) {
    module.obstacle = kind;
    module.reason = reason;
  };
  if (device.runtime_version(&module.runtime_version) != 0) module.runtime_version = 0;
  if (device.driver_version(&module.driver_version) != 0) module.driver_version = 0;
  if (module.driver_version == 0)
    return obstacle(CudaObstacle::kNoDriver,
                    "no NVIDIA driver was found; install " + needed_driver(module.runtime_version) +
                        " (inside a container, start it with the GPU passed through)");
  if (module.driver_version < needed_version(module.runtime_version))
    return obstacle(CudaObstacle::kDriverTooOld,
                    "the NVIDIA driver is too old: it supports CUDA " +
                        cuda_version_name(module.driver_version) + ", this build needs " +
                        cuda_version_name(needed_version(module.runtime_version)) + "; install " +
                        needed_driver(module.runtime_version));
  const kernels::Status status = device.device_count(&module.devices);
  if (status != 0 && status != kNoDevice)
    return obstacle(CudaObstacle::kNoDevice, std::string("the CUDA devices cannot be listed (") +
                                                 device.error_name(status) + ": " +
                                                 device.error_text(status) + ")");
  if (module.devices == 0)
    return obstacle(CudaObstacle::kNoDevice,
                    "there is a driver but no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES");
  module.obstacle = CudaObstacle::kNone;
}

CudaModule find_module() {
  CudaModule module;
  load(module, module_path());
  if (module.functions != nullptr) ask_driver(module);
  return module;
}

}  // namespace

const CudaModule& cuda_module() {
  static const CudaModule once = find_module();
  return once;
}

std::string cuda_version_name(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace msn
