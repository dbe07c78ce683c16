// SwiGLU: output = silu(gate) * up, silu(z) = z / (1 + exp(-z)) (arXiv 2002.05202), and its gradient.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

struct SwiGluForward {
  const Bf16* gate_up;  // [rows, 2 * inner]: gate, then up
  Bf16* output;         // [rows, inner]
  int64_t rows;
  int64_t inner;
};
Status swiglu_forward(const SwiGluForward& args, const Launch& where);

struct SwiGluBackward {
  const Bf16* gate_up;          // [rows, 2 * inner]
  const Bf16* output_gradient;  // [rows, inner]
  Bf16* gate_up_gradient;       // [rows, 2 * inner], overwritten; may be gate_up itself
  int64_t rows;
  int64_t inner;
};
Status swiglu_backward(const SwiGluBackward& args, const Launch& where);

}  // namespace msn::kernels
