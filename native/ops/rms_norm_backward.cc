// Shape checks of the gradient of RMSNorm.
#include "ops/rms_norm.h"

namespace msn {

void check(const RmsNormBackward& args, Dtype activations) {
  check(args.input.rank == 2, "input: expected two dimensions", "rms_norm_backward");
  const int64_t rows = args.input.shape[0], width = args.input.shape[1];
  check_tensor(args.input, Dtype::kF32, {rows, width}, "rms_norm_backward.input");
  check_tensor(args.weight, Dtype::kF32, {width}, "rms_norm_backward.weight");
  check_tensor(args.inverse_rms, Dtype::kF32, {rows}, "rms_norm_backward.inverse_rms");
  check_tensor(args.output_gradient, activations, {rows, width}, "rms_norm_backward.output_gradient");
  check_tensor(args.input_gradient, Dtype::kF32, {rows, width}, "rms_norm_backward.input_gradient");
  if (args.rounded) check_tensor(args.rounded, activations, {rows, width}, "rms_norm_backward.rounded");
  check_tensor(args.weight_gradient, Dtype::kF32, {width}, "rms_norm_backward.weight_gradient");
}

}  // namespace msn
