// Shape and range checks of AdamW.
#include "ops/adamw.h"

namespace msn {

void check(const AdamW& args, Dtype activations) {
  const int64_t count = args.weight.elements();
  check_tensor(args.weight, Dtype::kF32, {count}, "adamw.weight");
  check_tensor(args.gradient, Dtype::kF32, {count}, "adamw.gradient");
  if (args.rounded) check_tensor(args.rounded, activations, {count}, "adamw.rounded");
  check(static_cast<bool>(args.first_scale) == static_cast<bool>(args.second_scale),
        "first_scale and second_scale: both or none", "adamw");
  const bool coded = static_cast<bool>(args.first_scale);
  const Dtype moments = coded ? Dtype::kU8 : Dtype::kF32;
  check_tensor(args.first_moment, moments, {count}, "adamw.first_moment");
  check_tensor(args.second_moment, moments, {count}, "adamw.second_moment");
  if (coded) {
    const int64_t blocks = (count + kMomentBlock - 1) / kMomentBlock;
    check_tensor(args.first_scale, Dtype::kF32, {blocks}, "adamw.first_scale");
    check_tensor(args.second_scale, Dtype::kF32, {blocks}, "adamw.second_scale");
  }
  check(args.step >= 1, "step: counted from 1", "adamw");
  check(args.beta1 >= 0 && args.beta1 < 1 && args.beta2 >= 0 && args.beta2 < 1,
        "betas: expected 0 <= beta < 1", "adamw");
}

}  // namespace msn
