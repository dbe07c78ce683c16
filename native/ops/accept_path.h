// The end of a decode step (docs/method.md, points 6 to 9): the deepest accepted node, what is kept and
// emitted, where the next draft table is read from, and the record of the step.
#pragma once
#include "base/decode_step.h"
#include "ops/tensor.h"

namespace msn {

// Once finish[0] is not kNone, a step keeps no rows, reads no table, writes no record and changes no state.
struct AcceptPath {
  // The tree, node 0 the root, at most kMostDraftNodes nodes.
  Tensor parents;        // i32 [nodes]: an earlier node, -1 for the root
  Tensor depths;         // i32 [nodes]
  Tensor columns;        // i32 [nodes]
  Tensor deepest_below;  // i32 [nodes]: the deepest node at or below each, the first in tree order on a tie
  // The step at hand.
  Tensor tokens;      // i32 [nodes]
  Tensor sources;     // i32 [nodes]: DraftSource
  Tensor choices;     // i32 [nodes]: the model's token behind each node
  Tensor match = {};  // i32 [2] or none: for the record
  // The text, carried from step to step.
  Tensor end_tokens = {};  // i32 [ends] or none: ids that end the text
  Tensor last_length;      // i32 [1]: known tokens at which the text ends, at most `capacity`
  Tensor known;            // i32 [capacity]: emitted tokens are appended
  Tensor known_count;      // i32 [1]
  Tensor cache_length;     // i32 [1]
  Tensor is_known = {};    // u8 [vocabulary] or none
  Tensor known_rows;       // i32 [1]: rows of the next draft table that are known
  Tensor finish;           // i32 [1]: FinishReason
  Tensor step;             // i32 [1]: steps taken so far
  // For the operations that follow.
  Tensor kept_rows;   // i32 [height + 1 or more]: KvCompact::sources
  Tensor kept_count;  // i32 [1]: KvCompact::count
  Tensor first_row;   // i32 [1]: KvCompact::first_row, the cache's length before this step
  Tensor next_rows;   // i32 [depth]: TopK::rows, the nodes whose logits form the next table; -1: unknown
  // u8 [2, sizeof(StepRecord)], pinned: record number `step` goes to row step % 2.
  Tensor records;
};
void check(const AcceptPath& args);

}  // namespace msn
