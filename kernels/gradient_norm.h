// Sum of squares of a gradient, accumulated in double in one order.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct SquaredNorm {
  const float* gradient;  // [count]
  double* result;         // [1], overwritten
  int64_t count;
};
Status squared_norm(const SquaredNorm& args, const Launch& where);

}  // namespace msn::kernels
