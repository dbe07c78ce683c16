// Retrieval: the longest suffix of the known tokens that also ends at an earlier place, the latest of those.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct LongestMatch {
  const int32_t* known;        // [capacity]
  const int32_t* known_count;  // [1]
  int32_t* match;              // [2]: length, 0 for none; index of the first token behind the place
  int32_t* continuation;  // [depth]: the tokens from there on, read as in LZ77; untouched without a match
  int64_t capacity;
  int64_t depth;
  int32_t min_match;
};
Status longest_match(const LongestMatch& args, const Launch& where);

}  // namespace msn::kernels
