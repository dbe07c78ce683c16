// The skinny product of decoding: output = input * weight^T (+ bias) (+ output), bf16 or int8 weights in the
// layout of weight_layout.h. The bits of an output row depend on its own input row and on the device alone:
// not on the number of rows nor on the row's place among them.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"
#include "kernels/linear_plan.h"

namespace msn::kernels {

// The kernel reads the weight before the kernel in front of it has ended: let_next_start (ptx.h) says which
// kernels must not write it.
struct Linear {
  const Bf16* input;          // [rows, inputs]
  const Bf16* weight;         // [weight_rows(outputs), weight_stride(inputs)], or null with weight_int8
  const int8_t* weight_int8;  // the same shape, or null
  const float* scales;        // [outputs] with weight_int8: weight[o][i] = scales[o] * weight_int8[o][i]
  const float* bias;          // [outputs] or null
  Bf16* output;               // [rows, outputs], or null with output_f32
  float* output_f32;          // [rows, outputs], or null
  bool accumulate;            // output_f32 += instead of =
  // SwiGLU behind the product: output[rows, outputs / 2] = silu(first half of the outputs) * second half,
  // both in f32; `outputs` is even, without accumulate.
  bool gated;
  int64_t rows;  // these three below 2^31
  int64_t inputs;
  int64_t outputs;
};
Status linear(const Linear& args, const Launch& where);
// The same, dealt out by another plan; see linear_plan.h for what makes one.
Status linear_by_plan(const Linear& args, const LinearPlan& plan, const Launch& where);

}  // namespace msn::kernels
