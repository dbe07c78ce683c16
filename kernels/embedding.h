// Token embedding, output[i] = table[tokens[i]], and its gradient.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

struct EmbeddingForward {
  const int32_t* tokens;     // [rows], each in [0, vocabulary)
  const Bf16* table;         // [vocabulary, stride], or null with table_int8
  const int8_t* table_int8;  // [vocabulary, stride], or null
  const float* scales;       // [vocabulary] with table_int8: what a row is multiplied with
  float* output;             // [rows, hidden]
  int64_t rows;
  int64_t hidden;
  int64_t stride;  // of the table's rows, at least `hidden`
};
Status embedding_forward(const EmbeddingForward& args, const Launch& where);

// table_gradient[tokens[i]] += output_gradient[i], rows in ascending i for every cell.
struct EmbeddingBackward {
  const int32_t* tokens;         // [rows], each in [0, vocabulary)
  const float* output_gradient;  // [rows, hidden]
  float* table_gradient;         // [vocabulary, hidden], added to
  int64_t rows;
  int64_t hidden;
};
Status embedding_backward(const EmbeddingBackward& args, const Launch& where);

}  // namespace msn::kernels
