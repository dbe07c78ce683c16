// SwiGLU: output = silu(gate) * up, silu(z) = z / (1 + exp(-z)) (arXiv 2002.05202).
#pragma once
#include "ops/tensor.h"

namespace msn {

struct SwiGluForward {
  Tensor gate_up;  // f32 [rows, 2 * inner]: gate, then up
  Tensor output;   // f32 [rows, inner]
};
void check(const SwiGluForward& args);

struct SwiGluBackward {
  Tensor gate_up;           // f32 [rows, 2 * inner]
  Tensor output_gradient;   // f32 [rows, inner]
  Tensor gate_up_gradient;  // f32 [rows, 2 * inner], overwritten; may be gate_up itself
};
void check(const SwiGluBackward& args);

}  // namespace msn
