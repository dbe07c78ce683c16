// Shape checks of the output head with its cross-entropy.
#include "ops/cross_entropy.h"

namespace msn {

void check(const LinearCrossEntropy& args, Dtype activations) {
  const char* name = "cross_entropy";
  check(args.hidden.rank == 2, "hidden: expected two dimensions", name);
  check(args.head.rank == 2, "head: expected two dimensions", name);
  const int64_t rows = args.hidden.shape[0], hidden = args.hidden.shape[1], vocabulary = args.head.shape[0];
  check_tensor(args.hidden, activations, {rows, hidden}, "cross_entropy.hidden");
  check_tensor(args.head, activations, {vocabulary, hidden}, "cross_entropy.head");
  check(vocabulary > 0, "head: expected at least one row", name);
  check_tensor(args.targets, Dtype::kI32, {rows}, "cross_entropy.targets");
  check_tensor(args.losses, Dtype::kF32, {rows}, "cross_entropy.losses");
  if (args.predictions) check_tensor(args.predictions, Dtype::kI32, {rows}, "cross_entropy.predictions");
  check(static_cast<bool>(args.hidden_gradient) == static_cast<bool>(args.head_gradient),
        "either both gradients or none", name);
  if (args.hidden_gradient) {
    check_tensor(args.hidden_gradient, activations, {rows, hidden}, "cross_entropy.hidden_gradient");
    check_tensor(args.head_gradient, Dtype::kF32, {vocabulary, hidden}, "cross_entropy.head_gradient");
  }
}

}  // namespace msn
