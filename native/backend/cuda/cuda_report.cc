#include "backend/cuda/cuda_report.h"

#include "backend/cuda/cublaslt_library.h"
#include "backend/cuda/cuda_choice.h"

namespace msn {

CudaReport report_cuda() {
  const CudaModule& module = cuda_module();
  CudaReport report;
  report.reason = why_no_cuda();
  report.module = module.path;
  if (module.functions == nullptr) return report;
  report.architectures = module.functions->architectures;
  report.shim = module.is_shim();
  report.module_version = module.functions->version;
  if (module.runtime_version > 0) report.runtime = cuda_version_name(module.runtime_version);
  if (module.driver_version > 0) report.driver = cuda_version_name(module.driver_version);
  if (module.usable()) report.library = cublaslt_library().describe();
  return report;
}

}  // namespace msn
