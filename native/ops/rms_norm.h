// RMSNorm: y = weight * x / sqrt(mean(x^2) + epsilon), one row at a time.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct RmsNormForward {
  Tensor input;        // f32 [rows, width]: the residual stream
  Tensor addend = {};  // activations [rows, width] or none: added to the input first
  Tensor sum = {};     // f32 [rows, width], with an addend: input + addend; may be the input
  Tensor weight;       // f32 [width]
  float epsilon = 0;
  Tensor output;       // activations [rows, width]; where those are f32 it may be the input
  Tensor inverse_rms;  // f32 [rows] or none: 1 / sqrt(mean(x^2) + epsilon), kept for the backward pass
};
void check(const RmsNormForward& args, Dtype activations = Dtype::kF32);

struct RmsNormBackward {
  Tensor input;            // f32 [rows, width]
  Tensor weight;           // f32 [width]
  Tensor inverse_rms;      // f32 [rows]
  Tensor output_gradient;  // activations [rows, width]
  Tensor input_gradient;   // f32 [rows, width], added to
  Tensor rounded = {};     // activations [rows, width] or none: the new input_gradient, for products
  Tensor weight_gradient;  // f32 [width], added to
};
void check(const RmsNormBackward& args, Dtype activations = Dtype::kF32);

}  // namespace msn
