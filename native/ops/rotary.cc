// Shape checks of rotary.
#include "ops/rotary.h"

namespace msn {

void check(const RotaryTable& args) {
  const int64_t rows = args.positions.shape[0];
  const int64_t half = args.inverse_frequencies.shape[0];
  check_tensor(args.positions, Dtype::kI32, {rows}, "rotary.positions");
  check_tensor(args.inverse_frequencies, Dtype::kF64, {half}, "rotary.inverse_frequencies");
  check_tensor(args.table, Dtype::kF32, {rows, 2 * half}, "rotary.table");
}

}  // namespace msn
