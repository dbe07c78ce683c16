// RMSNorm: y = weight * x / sqrt(mean(x^2) + epsilon), one row at a time.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct RmsNormForward {
  Tensor input;   // f32 [rows, width]
  Tensor weight;  // f32 [width]
  float epsilon = 0;
  Tensor output;       // f32 [rows, width]; may be the input
  Tensor inverse_rms;  // f32 [rows] or none: 1 / sqrt(mean(x^2) + epsilon), kept for the backward pass
};
void check(const RmsNormForward& args);

struct RmsNormBackward {
  Tensor input;            // f32 [rows, width]
  Tensor weight;           // f32 [width]
  Tensor inverse_rms;      // f32 [rows]
  Tensor output_gradient;  // f32 [rows, width]
  Tensor input_gradient;   // f32 [rows, width], added to
  Tensor weight_gradient;  // f32 [width], added to
};
void check(const RmsNormBackward& args);

}  // namespace msn
