// Which keys a token of a packed batch sees: those of its own document, up to itself, within the window.
#pragma once
#include <math.h>

#include "kernels/attention_tile.h"

namespace msn::kernels {

// The last document that begins at or before `token`: its own one, for a token of the batch. offsets:
// [documents + 1], ascending from 0; empty documents may be among them.
__device__ __forceinline__ int document_of(const int32_t* offsets, int documents, int token) {
  int low = 0, high = documents;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (offsets[middle] <= token)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// Token i sees the keys first_visible_key(i) .. i. It never falls as i grows. window 0: none.
__device__ __forceinline__ int first_visible_key(const int32_t* offsets, int documents, int window,
                                                 int token) {
  const int begin = offsets[document_of(offsets, documents, token)];
  return window > 0 ? max(begin, token - window + 1) : begin;
}

// Key i is seen by the tokens i .. end_of_sight(i) - 1. It never falls as i grows.
__device__ __forceinline__ int end_of_sight(const int32_t* offsets, int documents, int window, int key) {
  const int end = offsets[document_of(offsets, documents, key) + 1];
  return window > 0 ? min(end, key + min(window, end)) : end;
}

// -inf for keys behind a row's token or in front of what it sees. warp_first: the warp's first token, counted
// from the tile's first key; first_visible: of the warp's rows.
template <int kRowBlocks, int kKeyBlocks>
__device__ __forceinline__ void hide_unseen(Fragments<kRowBlocks, kKeyBlocks>& scores, int warp_first,
                                            int first_key, const int* first_visible) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = i * 16 + half * 8 + lane / 4;
      const int first = first_visible[row] - first_key, last = warp_first + row;
#pragma unroll
      for (int j = 0; j < kKeyBlocks; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int key = j * 8 + lane % 4 * 2 + e;
          if (key < first || key > last) scores[i][j][half * 2 + e] = -INFINITY;
        }
    }
}

}  // namespace msn::kernels
