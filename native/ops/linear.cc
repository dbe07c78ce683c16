// Shape checks of linear.
#include "ops/linear.h"

namespace msn {

void check(const LinearForward& args, Dtype activations) {
  check(args.weight != nullptr, "expected a packed weight", "linear.weight");
  const int64_t rows = args.input.shape[0];
  check_tensor(args.input, activations, {rows, args.weight->inputs}, "linear.input");
  const Dtype output = args.output.dtype == Dtype::kF32 ? Dtype::kF32 : activations;
  const int64_t width = args.gated ? args.weight->outputs / 2 : args.weight->outputs;
  check_tensor(args.output, output, {rows, width}, "linear.output");
  check(!args.gated || (args.fixed_order && !args.accumulate && args.weight->outputs % 2 == 0),
        "a gate stands behind an even product of fixed order that adds to nothing", "linear.gated");
  check(!args.accumulate || output == Dtype::kF32, "expected an F32 output to add to", "linear.output");
  if (args.bias) check_tensor(args.bias, Dtype::kF32, {args.weight->outputs}, "linear.bias");
}

}  // namespace msn
