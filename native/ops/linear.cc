// Shape checks of linear.
#include "ops/linear.h"

namespace msn {

void check(const LinearForward& args) {
  check(args.weight != nullptr, "expected a packed weight", "linear.weight");
  const int64_t rows = args.input.shape[0];
  check_tensor(args.input, Dtype::kF32, {rows, args.weight->inputs}, "linear.input");
  check_tensor(args.output, Dtype::kF32, {rows, args.weight->outputs}, "linear.output");
  if (args.bias) check_tensor(args.bias, Dtype::kF32, {args.weight->outputs}, "linear.bias");
}

}  // namespace msn
