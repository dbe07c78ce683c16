// The k highest values of each row in falling order, the lower index first on a tie. k = 1 is argmax. NaN
// ranks below all.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct TopK {
  Tensor logits;   // f32 [rows, vocabulary]
  Tensor indices;  // i32 [rows, k], k <= vocabulary
  Tensor values;   // f32 [rows, k] or none
};
void check(const TopK& args);

}  // namespace msn
