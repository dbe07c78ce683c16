// Shape checks of linear.
#include "ops/linear.h"

namespace msn {

void check(const LinearForward& args, Dtype activations) {
  check(args.weight != nullptr, "expected a packed weight", "linear.weight");
  const int64_t rows = args.input.shape[0];
  check_tensor(args.input, activations, {rows, args.weight->inputs}, "linear.input");
  const Dtype output = args.output.dtype == Dtype::kF32 ? Dtype::kF32 : activations;
  check_tensor(args.output, output, {rows, args.weight->outputs}, "linear.output");
  check(!args.accumulate || output == Dtype::kF32, "expected an F32 output to add to", "linear.output");
  if (args.bias) check_tensor(args.bias, Dtype::kF32, {args.weight->outputs}, "linear.bias");
}

}  // namespace msn
