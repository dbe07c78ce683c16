// log p(target) under softmax(logits), one row at a time.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct LogProbability {
  const float* logits;     // [rows, vocabulary]
  const int32_t* targets;  // [rows]
  float* output;           // [rows]
  int64_t rows;
  int64_t vocabulary;  // at most 2^31 - 1
};
Status log_probability(const LogProbability& args, const Launch& where);

}  // namespace msn::kernels
