// Retrieval (docs/method.md): the longest suffix of the known tokens, of min_match to kLongestMatch tokens,
// that also ends at an earlier place; of those places the latest.
#pragma once
#include "base/decode_step.h"
#include "ops/tensor.h"

namespace msn {

struct LongestMatch {
  Tensor known;           // i32 [capacity]
  Tensor known_count;     // i32 [1]: the first so many are known
  int32_t min_match = 2;  // 1 .. kLongestMatch
  Tensor match;           // i32 [2]: length, 0 for none, and the index of the first token behind the place
  // i32 [depth]: the tokens from that index on; behind the last known one it reads on through the tokens that
  // it has just read (LZ77). Left as it is without a match.
  Tensor continuation;
};
void check(const LongestMatch& args);

}  // namespace msn
