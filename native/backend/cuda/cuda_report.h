// What `msn doctor` says of CUDA on this machine.
#pragma once
#include <cstdint>
#include <string>

namespace msn {

struct CudaReport {
  std::string reason;         // why no device can be had; empty when one can
  std::string module;         // the file that was loaded or looked for
  std::string architectures;  // of its machine code: "80 86 89 90a 100 120"; empty without a module
  bool shim = false;
  uint32_t module_version = 0;
  std::string runtime;  // CUDA version that the module was built with, "13.0"
  std::string driver;   // CUDA version that the driver supports; empty without one
  std::string library;  // cuBLASLt: version and file, or why there is none; empty without a device
};

CudaReport report_cuda();

}  // namespace msn
