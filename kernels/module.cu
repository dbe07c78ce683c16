// The module's table. A new operation is a line in module.h and one here.
#include "kernels/cross_entropy.h"
#include "kernels/device.h"
#include "kernels/log_probability.h"
#include "kernels/module.h"
#include "kernels/packed_attention.h"
#include "kernels/rms_norm.h"

namespace msn::kernels {
namespace {

Module make_module() {
  Module module = {};
  module.version = kModuleVersion;
#ifdef __CUDACC__
  module.is_shim = false;
#else
  module.is_shim = true;
#endif
  module.architectures = MSN_CUDA_ARCHITECTURES;
  module.device = device_functions();

  module.rms_norm_forward = rms_norm_forward;
  module.log_probability = log_probability;

  module.packed_attention_forward = packed_attention_forward;
  module.packed_attention_backward = packed_attention_backward;
  module.cross_entropy = cross_entropy;
  return module;
}

}  // namespace
}  // namespace msn::kernels

extern "C" __attribute__((visibility("default"))) const msn::kernels::Module* msn_cuda_module() {
  static const msn::kernels::Module module = msn::kernels::make_module();
  return &module;
}
