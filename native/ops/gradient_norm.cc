// Shape checks of the gradient norm.
#include "ops/gradient_norm.h"

namespace msn {

void check(const SquaredNorm& args) {
  check_tensor(args.gradient, Dtype::kF32, {args.gradient.elements()}, "gradient_norm.gradient");
  check_tensor(args.result, Dtype::kF64, {1}, "gradient_norm.result");
}

}  // namespace msn
