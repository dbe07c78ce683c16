// Noise segments of noisy fine-tuning ("Make Some Noise", arXiv 2406.17404), as docs/method.md states them.
#pragma once
#include "ops/tensor.h"

namespace msn {

enum class NoiseKind { kAhead, kUniform };

struct NoiseTokens {
  Tensor tokens;            // i32 [tokens]: the documents one behind another
  Tensor loss_mask;         // u8 [tokens]: 1 where the token counts in the loss
  Tensor document_offsets;  // i32 [documents + 1]
  Tensor samples;           // i32 [documents]: row number in the data set before shuffling
  uint64_t seed = 0;
  uint32_t epoch = 0;
  NoiseKind kind = NoiseKind::kAhead;
  int32_t length = 5;    // L, at least 1
  int32_t segments = 1;  // S, at least 1
  int32_t vocabulary = 0;
  Tensor noised;  // i32 [tokens], overwritten
  Tensor
      segment_offset;  // i32 [tokens] or none: 1 .. L inside a noise segment (its first token is 1), else 0
};
void check(const NoiseTokens& args);

}  // namespace msn
