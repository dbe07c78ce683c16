// What forward and backward of the packed attention share: a document's packed keys and values, and the
// masked scores of a block of query rows. Key indices are relative to the document, so that a document gives
// the same bits wherever it lies in a batch.
#pragma once
#include "cpu/product.h"

namespace msn::cpu::MSN_ISA {

// Query rows whose scores are held at a time.
constexpr int64_t kQueryBlock = 4 * kTileRows;

// offsets: i32 [documents + 1]
inline int64_t longest_document(const Tensor& offsets) {
  int64_t longest = 0;
  for (int64_t i = 0; i + 1 < offsets.shape[0]; ++i) {
    const int64_t length = offsets.i32()[i + 1] - offsets.i32()[i];
    longest = length > longest ? length : longest;
  }
  return longest;
}

// The keys that a tile of query rows [first, first + rows) sees: [begin, end), begin on a panel's border.
struct KeyRange {
  int64_t begin, end;
};
inline KeyRange visible_keys(int64_t first_row, int64_t rows, int64_t window) {
  const int64_t begin = window > 0 && first_row >= window ? first_row - window + 1 : 0;
  return {begin / kTileColumns * kTileColumns, first_row + rows};
}
// First key that row `row` sees; the last one is the row itself.
inline int64_t first_visible(int64_t row, int64_t window) {
  return window > 0 && row >= window ? row - window + 1 : 0;
}

// scores[rows, stride] = left[rows, head_dim] right[keys, head_dim]^T over a block of query rows and the keys
// that each tile of kTileRows of them sees; column j is key range.begin + j of the block's range. Cells
// outside a tile's range keep what they held. right: the transposed keys as panels of head_dim rows, from key
// 0.
inline void block_scores(const Strided& left, const float* right, int64_t head_dim, int64_t first_row,
                         int64_t rows, int64_t window, float* scores, int64_t stride) {
  const int64_t block_begin = visible_keys(first_row, rows, window).begin;
  for (int64_t tile = 0; tile < rows; tile += kTileRows) {
    const int64_t tile_rows = rows - tile < kTileRows ? rows - tile : kTileRows;
    const KeyRange keys = visible_keys(first_row + tile, tile_rows, window);
    const Panels panels = {right + keys.begin * head_dim, head_dim * kTileColumns};
    multiply_panels({left.data + tile * left.row_stride, left.row_stride, left.column_stride}, panels,
                    scores + tile * stride + keys.begin - block_begin, stride, tile_rows,
                    keys.end - keys.begin, head_dim, false);
  }
}

}  // namespace msn::cpu::MSN_ISA
