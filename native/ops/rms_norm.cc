// Shape checks of rms_norm.
#include "ops/rms_norm.h"

namespace msn {

void check(const RmsNormForward& args) {
  const int64_t rows = args.input.shape[0];
  const int64_t width = args.input.shape[1];
  check_tensor(args.input, Dtype::kF32, {rows, width}, "rms_norm.input");
  check_tensor(args.weight, Dtype::kF32, {width}, "rms_norm.weight");
  check_tensor(args.output, Dtype::kF32, {rows, width}, "rms_norm.output");
  if (args.inverse_rms) check_tensor(args.inverse_rms, Dtype::kF32, {rows}, "rms_norm.inverse_rms");
  check(width > 0, "expected a width of at least 1", "rms_norm.input");
}

}  // namespace msn
