// Rotary position embedding: the table of cosines and sines of one forward pass (arXiv 2104.09864).
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct RotaryTable {
  const int32_t* positions;           // [rows]
  const double* inverse_frequencies;  // [head_dim / 2]
  float* table;                       // [rows, head_dim]: cosines, then sines
  int64_t rows;
  int64_t head_dim;
};
Status rotary_table(const RotaryTable& args, const Launch& where);

}  // namespace msn::kernels
