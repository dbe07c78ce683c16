// log p(target) under softmax(logits), one row at a time; what `score` and `denoise` report.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct LogProbability {
  Tensor logits;   // f32 [rows, vocabulary]
  Tensor targets;  // i32 [rows]
  Tensor output;   // f32 [rows]
};
void check(const LogProbability& args);

}  // namespace msn
