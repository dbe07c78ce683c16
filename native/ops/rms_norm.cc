// Shape checks of rms_norm.
#include "ops/rms_norm.h"

namespace msn {

void check(const RmsNormForward& args, Dtype activations) {
  const int64_t rows = args.input.shape[0];
  const int64_t width = args.input.shape[1];
  check_tensor(args.input, Dtype::kF32, {rows, width}, "rms_norm.input");
  if (args.addend) {
    check_tensor(args.addend, activations, {rows, width}, "rms_norm.addend");
    check_tensor(args.sum, Dtype::kF32, {rows, width}, "rms_norm.sum");
  }
  check_tensor(args.weight, Dtype::kF32, {width}, "rms_norm.weight");
  check_tensor(args.output, activations, {rows, width}, "rms_norm.output");
  if (args.inverse_rms) check_tensor(args.inverse_rms, Dtype::kF32, {rows}, "rms_norm.inverse_rms");
  check(width > 0, "expected a width of at least 1", "rms_norm.input");
}

}  // namespace msn
