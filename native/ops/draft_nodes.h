// The tokens of a draft tree from the draft table (docs/method.md): the model's guesses, the retrieved
// continuation, and noise where nothing is known.
#pragma once
#include "base/decode_step.h"
#include "ops/tensor.h"

namespace msn {

struct DraftNodes {
  Tensor known;              // i32 [capacity]
  Tensor known_count;        // i32 [1]: the first so many are known, the last of them is the root
  Tensor guesses;            // i32 [depth, row_size]: row r for the token r + 1 places behind the root
  Tensor known_rows;         // i32 [1]: the first so many rows of guesses are known
  Tensor match = {};         // i32 [2] or none: of LongestMatch
  Tensor continuation = {};  // i32 [depth] or none: the retrieved column, known if match[0] > 0
  Tensor depths;             // i32 [nodes]: of each node, 0 for the root, which is node 0; at most `depth`
  Tensor columns;            // i32 [nodes]: the last column of each node's path, at most `width`
  int32_t width = 1;  // columns of the draft table, at least row_size; column `width` is the retrieved one
  Tensor seed;        // u8 [sizeof(uint64_t)]: of the noise
  Tensor tokens;      // i32 [nodes]
  Tensor positions;   // i32 [nodes]
  Tensor sources;     // i32 [nodes]: DraftSource; kModel for the root
};
void check(const DraftNodes& args);

}  // namespace msn
