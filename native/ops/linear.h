// Linear layer over a weight packed for the backend: output = input * weight^T (+ bias).
// Every output is one sum over the inputs in one fixed order, the same for 1 row and for 512.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct LinearForward {
  Tensor input;                          // f32 [rows, inputs]
  const WeightMatrix* weight = nullptr;  // [outputs, inputs]
  Tensor bias;                           // f32 [outputs] or none
  Tensor output;                         // f32 [rows, outputs]
  bool accumulate = false;               // output += instead of output =
};
void check(const LinearForward& args);

}  // namespace msn
