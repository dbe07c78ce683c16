// The k highest values of each row in falling order, the lower index first on a tie; NaN ranks below all.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

constexpr int64_t kMostWanted = 64;

struct TopK {
  const float* logits;  // [rows, vocabulary]
  const int32_t* rows;  // [results] or null: result i is of row rows[i]; negative: result i stays as it is
  int32_t* indices;     // [results, k]
  float* values;        // [results, k] or null
  int64_t results;
  int64_t vocabulary;
  int64_t k;  // at most vocabulary and kMostWanted
};
Status top_k(const TopK& args, const Launch& where);

}  // namespace msn::kernels
