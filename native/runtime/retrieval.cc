// Chains of equal runs, the latest first, as in a compressor's match finder.
#include "runtime/retrieval.h"

#include <algorithm>

namespace msn {

Retrieval::Retrieval(int32_t min_match) : min_match_(min_match) {}

void Retrieval::append(int32_t token) {
  tokens_.push_back(token);
  int32_t previous = 0;
  const int32_t end = static_cast<int32_t>(tokens_.size());
  if (end >= min_match_) {
    int32_t& last = last_end_[last_run_hash()];
    previous = last;
    last = end;
  }
  previous_end_.push_back(previous);
}

Match Retrieval::longest_match() const {
  Match best;
  const int32_t end = static_cast<int32_t>(tokens_.size());
  if (end == 0) return best;
  for (int32_t other = previous_end_[end - 1]; other > 0; other = previous_end_[other - 1]) {
    const int32_t limit = std::min(kLongestMatch, other);
    int32_t length = 0;
    while (length < limit && tokens_[other - 1 - length] == tokens_[end - 1 - length]) ++length;
    // A shorter run than the chain promises is a collision of hashes.
    if (length >= min_match_ && length > best.length) best = {length, other};
    if (best.length == kLongestMatch) break;
  }
  return best;
}

void Retrieval::read_continuation(const Match& match, std::span<int32_t> continuation) const {
  const int64_t known = static_cast<int64_t>(tokens_.size());
  for (int64_t i = 0; i < static_cast<int64_t>(continuation.size()); ++i) {
    const int64_t place = match.end + i;
    continuation[i] = place < known ? tokens_[place] : continuation[place - known];
  }
}

uint64_t Retrieval::last_run_hash() const {
  uint64_t hash = 0;
  for (int32_t i = 1; i <= min_match_; ++i) {
    hash = (hash ^ static_cast<uint32_t>(tokens_[tokens_.size() - i])) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace msn
