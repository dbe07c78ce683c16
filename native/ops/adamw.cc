// Shape and range checks of AdamW.
#include "ops/adamw.h"

namespace msn {

void check(const AdamW& args) {
  const int64_t count = args.weight.elements();
  check_tensor(args.weight, Dtype::kF32, {count}, "adamw.weight");
  check_tensor(args.gradient, Dtype::kF32, {count}, "adamw.gradient");
  check_tensor(args.first_moment, Dtype::kF32, {count}, "adamw.first_moment");
  check_tensor(args.second_moment, Dtype::kF32, {count}, "adamw.second_moment");
  check(args.step >= 1, "step: counted from 1", "adamw");
  check(args.beta1 >= 0 && args.beta1 < 1 && args.beta2 >= 0 && args.beta2 < 1,
        "betas: expected 0 <= beta < 1", "adamw");
}

}  // namespace msn
