// What the host and a device agree on about decoding: the limits of a step, and the record that it leaves.
#pragma once
#include <cstdint>

namespace msn {

// What an engine may count on when it splits attention into cached blocks and an open rest
// (docs/exactness.md).
constexpr int32_t kDeepestDraft = 32;
constexpr int32_t kWidestDraft = 64;
constexpr int32_t kMostDraftNodes = 1024;  // root included
constexpr int32_t kLongestMatch = 16;      // tokens of a suffix that retrieval compares

enum class FinishReason : int32_t { kNone, kStop, kLength };
enum class DraftSource : uint8_t { kModel, kNoise, kRetrieval };

// What one step did, as the device writes it into memory that the host reads.
struct StepRecord {
  int32_t step;             // its number, from 1
  int32_t accepted_length;  // depth(e) + 1, before any cut
  int32_t emitted;          // tokens that the text grew by
  FinishReason finish;
  int32_t match_length;  // 0: nothing retrieved
  int32_t match_end;     // index of the first token of the continuation
  int32_t known_rows;    // rows of the next draft table that are known
  int32_t nodes;
  int32_t tokens[kDeepestDraft + 1];            // [emitted]
  int32_t accepted_columns[kDeepestDraft];      // [accepted_length - 1]: of the path to e
  DraftSource accepted_sources[kDeepestDraft];  // [accepted_length - 1]
  int32_t drafted[kMostDraftNodes - 1];         // [nodes - 1]: tokens of the nodes below the root
};

}  // namespace msn
