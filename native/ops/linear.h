// Linear layer over a weight packed for the backend: output = input * weight^T (+ bias).
// Every output is one sum over the inputs in one fixed order, the same for 1 row and for 512.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct LinearForward {
  Tensor input;                          // activations [rows, inputs]
  const WeightMatrix* weight = nullptr;  // [outputs, inputs]
  Tensor bias;                           // f32 [outputs] or none
  Tensor output;                         // activations or f32 [rows, outputs]
  bool gated = false;                    // SwiGLU behind the product, output [rows, outputs / 2]; see
                                         // BackendTraits::gated_products
  bool accumulate = false;               // output += instead of output =; f32 output
  bool fixed_order = true;               // false: the result feeds no promise (a prefill that all methods
                                         // share), and a library may choose the order of the sums
};
void check(const LinearForward& args, Dtype activations = Dtype::kF32);

}  // namespace msn
