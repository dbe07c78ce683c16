// Shape checks of swiglu.
#include "ops/swiglu.h"

namespace msn {

void check(const SwiGluForward& args, Dtype activations) {
  const int64_t rows = args.output.shape[0];
  const int64_t inner = args.output.shape[1];
  check_tensor(args.output, activations, {rows, inner}, "swiglu.output");
  check_tensor(args.gate_up, activations, {rows, 2 * inner}, "swiglu.gate_up");
}

}  // namespace msn
