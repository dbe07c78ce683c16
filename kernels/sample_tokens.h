// The model's token behind each node of a tree: repetition penalty, temperature, top-k, top-p, min-p, draw.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct SampleTokens {
  const float* logits;         // [nodes, vocabulary]
  const int32_t* tokens;       // [nodes]
  const int32_t* parents;      // [nodes]: an earlier node; -1 for a root
  const int32_t* depths;       // [nodes]
  const int32_t* known_count;  // [1]
  const uint8_t* is_known;     // [vocabulary]; null without a penalty
  int32_t* choices;            // [nodes]
  int64_t nodes;               // at most kMostDraftNodes
  int64_t vocabulary;          // at most 2^22
  double temperature;          // 0: the highest
  double top_p;
  double min_p;
  double repetition_penalty;
  int32_t top_k;  // 0: all
  uint64_t seed;
};
Status sample_tokens(const SampleTokens& args, const Launch& where);

}  // namespace msn::kernels
