// Rotary position embedding: the table of cosines and sines of one forward pass (RoFormer, arXiv 2104.09864).
// Computed in double once per pass, shared by all layers; the rotation itself is part of split_heads.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct RotaryTable {
  Tensor positions;            // i32 [rows]
  Tensor inverse_frequencies;  // f64 [head_dim / 2], scaling (linear, llama3) already applied
  Tensor table;  // f32 [rows, head_dim]: head_dim/2 cosines, then head_dim/2 sines of position * frequency
};
void check(const RotaryTable& args);

}  // namespace msn
