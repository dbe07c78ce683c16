// Noise segments of noisy fine-tuning ("Make Some Noise", arXiv 2406.17404), as docs/method.md states them,
// with the draws of the CPU engine.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct NoiseTokens {
  const int32_t* tokens;            // [tokens]: the documents one behind another
  const uint8_t* loss_mask;         // [tokens]: not 0 where the token counts in the loss
  const int32_t* document_offsets;  // [documents + 1]
  const int32_t* samples;           // [documents]: row number in the data set
  int32_t* noised;                  // [tokens], overwritten
  int32_t* segment_offset;          // [tokens] or null: 1 .. length inside a noise segment, else 0
  int64_t tokens_count;
  int64_t documents;
  uint64_t seed;
  uint32_t epoch;
  bool uniform;        // noise from the vocabulary, else from the preceding tokens
  int32_t length;      // of a segment, at least 1
  int32_t segments;    // of a response, at least 1
  int32_t vocabulary;  // used when uniform
};
// Needs 12 bytes of scratch memory a token.
Status noise_tokens(const NoiseTokens& args, const Launch& where);

}  // namespace msn::kernels
