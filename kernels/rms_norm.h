// RMSNorm with an optional residual add in front, sum = input + addend, output = weight * sum / rms(sum), and
// its gradient.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

constexpr int64_t kWidestNorm = 16384;

struct RmsNormForward {
  const float* input;   // [rows, width]: the residual stream
  const Bf16* addend;   // [rows, width] or null
  float* sum;           // [rows, width] or null without an addend; may be the input
  const float* weight;  // [width]; may be read before the kernel in front has ended (let_next_start, ptx.h)
  Bf16* output;         // [rows, width]
  float* inverse_rms;   // [rows] or null
  int64_t rows;
  int64_t width;  // at most kWidestNorm
  float epsilon;
};
Status rms_norm_forward(const RmsNormForward& args, const Launch& where);

struct RmsNormBackward {
  const float* input;           // [rows, width]
  const float* weight;          // [width]
  const float* inverse_rms;     // [rows]
  const Bf16* output_gradient;  // [rows, width]
  float* input_gradient;        // [rows, width], added to
  Bf16* rounded;                // [rows, width] or null: the new input_gradient
  float* weight_gradient;       // [width], added to
  int64_t rows;
  int64_t width;  // at most kWidestNorm
};
Status rms_norm_backward(const RmsNormBackward& args, const Launch& where);

}  // namespace msn::kernels
