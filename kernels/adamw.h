// AdamW (arXiv 1711.05101) with the gradient scaled first, and moments in f32 or in 8 bits (arXiv
// 2110.02861).
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

// Moments of which one scale is kept with 8-bit codes.
constexpr int64_t kMomentBlock = 256;

struct AdamW {
  float* weight;          // [count], updated
  const float* gradient;  // [count]
  Bf16* rounded;          // [count] or null: the new weight
  float* first_moment;    // [count], updated; null with codes
  float* second_moment;   // [count], updated; null with codes
  uint8_t* first_codes;   // [count], see base/moment_codes.h; null with f32 moments
  uint8_t* second_codes;  // [count]
  float* first_scale;     // [ceil(count / kMomentBlock)], with codes
  float* second_scale;    // likewise
  int64_t count;
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  double gradient_scale;
  int64_t step;  // from 1
};
Status adamw(const AdamW& args, const Launch& where);

}  // namespace msn::kernels
