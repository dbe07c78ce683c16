// Sum of squares of a gradient, accumulated in double in a fixed order.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct SquaredNorm {
  Tensor gradient;  // f32 [n]
  Tensor result;    // f64 [1], overwritten
};
void check(const SquaredNorm& args);

}  // namespace msn
