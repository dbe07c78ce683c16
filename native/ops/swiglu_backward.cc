// Shape checks of the gradient of SwiGLU.
#include "ops/swiglu.h"

namespace msn {

void check(const SwiGluBackward& args, Dtype activations) {
  check(args.gate_up.rank == 2, "gate_up: expected two dimensions", "swiglu_backward");
  const int64_t rows = args.gate_up.shape[0], inner = args.gate_up.shape[1] / 2;
  check_tensor(args.gate_up, activations, {rows, 2 * inner}, "swiglu_backward.gate_up");
  check_tensor(args.output_gradient, activations, {rows, inner}, "swiglu_backward.output_gradient");
  check_tensor(args.gate_up_gradient, activations, {rows, 2 * inner}, "swiglu_backward.gate_up_gradient");
}

}  // namespace msn
