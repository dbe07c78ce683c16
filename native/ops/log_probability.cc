// Shape checks of log_probability.
#include "ops/log_probability.h"

namespace msn {

void check(const LogProbability& args) {
  const int64_t rows = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  check_tensor(args.logits, Dtype::kF32, {rows, vocabulary}, "log_probability.logits");
  check_tensor(args.targets, Dtype::kI32, {rows}, "log_probability.targets");
  check_tensor(args.output, Dtype::kF32, {rows}, "log_probability.output");
}

}  // namespace msn
