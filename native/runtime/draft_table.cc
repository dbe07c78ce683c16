// Lookups in the draft table, noise where nothing is known (docs/method.md).
#include "runtime/draft_table.h"

#include <algorithm>

#include "base/philox.h"

namespace msn {

DraftTable::DraftTable(int32_t depth, int32_t width, uint64_t noise_seed)
    : width_(width),
      noise_seed_(noise_seed),
      guesses_(static_cast<size_t>(depth) * width),
      row_size_(depth),
      continuation_(depth) {}

void DraftTable::set_row(int32_t row, std::span<const int32_t> guesses) {
  row_size_[row] = static_cast<int32_t>(guesses.size());
  std::copy(guesses.begin(), guesses.end(), guesses_.begin() + static_cast<ptrdiff_t>(row) * width_);
}

DraftCell DraftTable::cell(int32_t row, int32_t column, std::span<const int32_t> known) const {
  if (column == width_ && retrieved_) return {continuation_[row], DraftSource::kRetrieval};
  if (column < width_ && row < known_rows_ && column < row_size_[row])
    return {guesses_[static_cast<size_t>(row) * width_ + column], DraftSource::kModel};
  const uint32_t count = static_cast<uint32_t>(known.size());
  const RandomDraw draw(noise_seed_, RandomStream::kDraftCell, count, row, column);
  return {known[draw.bounded(count)], DraftSource::kNoise};
}

}  // namespace msn
