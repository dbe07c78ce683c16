// SwiGLU: output = silu(gate) * up, silu(z) = z / (1 + exp(-z)) (arXiv 2002.05202).
#pragma once
#include "ops/tensor.h"

namespace msn {

struct SwiGluForward {
  Tensor gate_up;  // activations [rows, 2 * inner]: gate, then up
  Tensor output;   // activations [rows, inner]
};
void check(const SwiGluForward& args, Dtype activations = Dtype::kF32);

struct SwiGluBackward {
  Tensor gate_up;           // activations [rows, 2 * inner]
  Tensor output_gradient;   // activations [rows, inner]
  Tensor gate_up_gradient;  // activations [rows, 2 * inner], overwritten; may be gate_up itself
};
void check(const SwiGluBackward& args, Dtype activations = Dtype::kF32);

}  // namespace msn
