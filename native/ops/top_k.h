// The k highest values of each row in falling order, the lower index first on a tie. k = 1 is argmax. NaN
// ranks below all.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct TopK {
  Tensor logits;  // f32 [rows, vocabulary]
  Tensor rows =
      {};  // i32 [chosen] or none: take row rows[i] of the logits as row i of the result; negative: skip
  Tensor indices;  // i32 [chosen or rows, k], k <= vocabulary
  Tensor values;   // f32 [chosen or rows, k] or none
};
void check(const TopK& args);

}  // namespace msn
