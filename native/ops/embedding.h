// Token embedding: row tokens[i] of the table becomes row i of the output.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct EmbeddingForward {
  Tensor tokens;                               // i32 [rows], each in [0, vocabulary)
  const WeightMatrix* packed_table = nullptr;  // [vocabulary, hidden]; exactly one of the two tables is given
  Tensor table;                                // activations [vocabulary, hidden]
  Tensor output;                               // f32 [rows, hidden]
};
void check(const EmbeddingForward& args, Dtype activations = Dtype::kF32);

// table_gradient[tokens[i]] += output_gradient[i], rows in ascending i for every cell.
struct EmbeddingBackward {
  Tensor tokens;           // i32 [rows]
  Tensor output_gradient;  // f32 [rows, hidden]
  Tensor table_gradient;   // f32 [vocabulary, hidden], added to
};
void check(const EmbeddingBackward& args);

}  // namespace msn
