// Finds where the end of the text occurred before: the draft of repetitive text that costs no model.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/decode_step.h"

namespace msn {

struct Match {
  int32_t length = 0;  // tokens of the suffix that occurred before; 0: none
  int32_t end = 0;     // index of the first token behind the earlier occurrence
};

// The tokens known so far, indexed by their runs of min_match tokens: every run knows where it ended before,
// so a search visits only places that match at least so far.
class Retrieval {
 public:
  explicit Retrieval(int32_t min_match);  // 1 .. kLongestMatch
  void append(int32_t token);
  // The longest suffix of min_match .. kLongestMatch tokens that also ends at an earlier place; of those
  // places the latest.
  Match longest_match() const;
  // The `continuation.size()` tokens behind a match; behind the last known token it goes on through the
  // tokens it has just read (LZ77).
  void read_continuation(const Match& match, std::span<int32_t> continuation) const;

 private:
  uint64_t last_run_hash() const;
  const int32_t min_match_;
  std::vector<int32_t> tokens_;
  std::vector<int32_t> previous_end_;  // of the run that ends behind token i: where it ended before, or 0
  std::unordered_map<uint64_t, int32_t> last_end_;
};

}  // namespace msn
