// The end of a decode step: the deepest accepted node, what is kept and emitted, and the record of the step.
#pragma once
#include "base/decode_step.h"
#include "kernels/launch.h"

namespace msn::kernels {

// Once finish[0] is not kNone, a step keeps no rows, reads no table, writes no record and changes no state.
struct AcceptPath {
  const int32_t* parents;        // [nodes]
  const int32_t* depths;         // [nodes]
  const int32_t* columns;        // [nodes]
  const int32_t* deepest_below;  // [nodes]
  const int32_t* tokens;         // [nodes]
  const int32_t* sources;        // [nodes]: DraftSource
  const int32_t* choices;        // [nodes]: the model's token behind each node
  const int32_t* match;          // [2] or null
  const int32_t* end_tokens;     // [ends] or null
  const int32_t* last_length;    // [1]: known tokens at which the text ends
  int32_t* known;                // [last_length or more]: emitted tokens are appended
  int32_t* known_count;          // [1]
  int32_t* cache_length;         // [1]
  uint8_t* is_known;             // [vocabulary] or null
  int32_t* known_rows;           // [1]
  int32_t* finish;               // [1]: FinishReason
  int32_t* step;                 // [1]
  int32_t* kept_rows;            // [height + 1 or more]
  int32_t* kept_count;           // [1]
  int32_t* first_row;            // [1]
  int32_t* next_rows;            // [depth]
  StepRecord* records;           // [2], in memory that the host reads: record number `step` is step % 2
  int64_t nodes;                 // 1 .. kMostDraftNodes
  int64_t ends;
  int64_t depth;  // at most kDeepestDraft
};
Status accept_path(const AcceptPath& args, const Launch& where);

}  // namespace msn::kernels
