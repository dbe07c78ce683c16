// The model's token behind each node of a tree: repetition penalty, temperature, top-k, top-p, min-p, draw.
#pragma once
#include "base/sampling_options.h"
#include "kernels/launch.h"

namespace msn::kernels {

struct SampleTokens {
  const float* logits;         // [nodes, vocabulary]
  const int32_t* tokens;       // [nodes]
  const int32_t* parents;      // [nodes]: an earlier node; -1 for a root
  const int32_t* depths;       // [nodes]
  const int32_t* known_count;  // [1]
  const uint8_t* is_known;     // [vocabulary]; read where there is a penalty
  const SamplingOptions* options;
  int32_t* choices;    // [nodes]
  int64_t nodes;       // at most kMostDraftNodes
  int64_t vocabulary;  // at most 2^22
};
Status sample_tokens(const SampleTokens& args, const Launch& where);

}  // namespace msn::kernels
