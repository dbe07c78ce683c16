// The guesses for the tokens after the root: one row a place, the model's own guesses, then the retrieved
// one.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/decoding.h"

namespace msn {

struct DraftCell {
  int32_t token = 0;
  DraftSource source = DraftSource::kNoise;
};

class DraftTable {
 public:
  DraftTable(int32_t depth, int32_t width, uint64_t noise_seed);
  // Row r takes the model's guesses for the token r + 1 places after the root, best first, at most `width` of
  // them.
  void set_row(int32_t row, std::span<const int32_t> guesses);
  // Rows from `count` on are unknown.
  void set_known_rows(int32_t count) { known_rows_ = count; }
  int32_t known_rows() const { return known_rows_; }
  // The retrieved column, [depth]; without a match it is noise.
  std::span<int32_t> continuation() { return continuation_; }
  void set_retrieved(bool retrieved) { retrieved_ = retrieved; }
  // The guess in a cell; an unknown one is a random known token, a function of (seed, known.size(), row,
  // column).
  DraftCell cell(int32_t row, int32_t column, std::span<const int32_t> known) const;

 private:
  const int32_t width_;
  const uint64_t noise_seed_;
  std::vector<int32_t> guesses_;   // [depth, width]
  std::vector<int32_t> row_size_;  // [depth]: guesses in a row, fewer than `width` in a tiny vocabulary
  std::vector<int32_t> continuation_;
  int32_t known_rows_ = 0;
  bool retrieved_ = false;
};

}  // namespace msn
