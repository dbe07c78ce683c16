// The tokens of a draft tree from the draft table: guesses, the retrieved continuation, noise.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

struct DraftNodes {
  const int32_t* known;         // [known_count or more]
  const int32_t* known_count;   // [1]
  const int32_t* guesses;       // [depth, row_size]
  const int32_t* known_rows;    // [1]
  const int32_t* match;         // [2] or null
  const int32_t* continuation;  // [depth] or null: the retrieved column, known if match[0] > 0
  const int32_t* depths;        // [nodes]
  const int32_t* columns;       // [nodes]
  const uint64_t* seed;         // [1]
  int32_t* tokens;              // [nodes]
  int32_t* positions;           // [nodes]
  int32_t* sources;             // [nodes]: DraftSource
  int64_t nodes;
  int64_t row_size;
  int32_t width;  // the number of the retrieved column
};
Status draft_nodes(const DraftNodes& args, const Launch& where);

}  // namespace msn::kernels
