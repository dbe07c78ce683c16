// Tiles of attention: rows of bf16 in shared memory and the matrix products between them, one warp owning 16
// rows or a few times as many.
#pragma once
#include "kernels/ptx.h"

namespace msn::kernels {

// Elements from one row of a tile to the next. The 16 bytes behind every row put eight rows that follow one
// another into different banks, so that neither load_matrices nor 16-byte copies meet conflicts, whatever
// the head size; a row's address stays a sum of constants, which a swizzle's is not.
template <int kHeadDim>
constexpr int kTileStride = kHeadDim + 8;
template <int kRows, int kHeadDim>
constexpr int kTileElements = kRows * kTileStride<kHeadDim>;

// Rows of one head in global memory.
struct TileSource {
  const Bf16* rows;  // row 0, head_dim numbers
  int64_t stride;    // elements from row to row
  int head_dim;      // even; the tile's columns from here on become zeros
  bool aligned;      // every row starts on 16 bytes and head_dim is a multiple of 8
};

inline bool rows_are_aligned(const Bf16* rows, int64_t head_dim) {
  return reinterpret_cast<uintptr_t>(rows) % 16 == 0 && head_dim % 8 == 0;
}

// Rows [first, first + kRows) into a tile [kRows, kTileStride], zeros for rows from `end` on. By all threads
// of a block of kThreads; there after commit_copies, wait_for_copies and a barrier.
template <int kRows, int kHeadDim, int kThreads>
__device__ __forceinline__ void load_tile(Bf16* tile, const TileSource& source, int first, int end) {
  constexpr int kChunks = kHeadDim / 8, kStep = kThreads / kChunks;
  const int thread = static_cast<int>(threadIdx.x), column = thread % kChunks * 8;
  if (thread >= kStep * kChunks) return;
  const int columns = min(source.head_dim - column, 8);  // that are not zeros
  int row = thread / kChunks;
  const Bf16* from = source.rows + (first + row) * source.stride + column;
  Bf16* to = tile + row * kTileStride<kHeadDim> + column;
#pragma unroll 2
  for (; row < kRows; row += kStep, from += kStep * source.stride, to += kStep * kTileStride<kHeadDim>) {
    const bool wanted = first + row < end && columns > 0;
    if (source.aligned) {
      copy_16_async(to, wanted ? from : source.rows, wanted);
    } else {
#pragma unroll
      for (int i = 0; i < 8; i += 2)
        *reinterpret_cast<uint32_t*>(to + i) =
            wanted && i < columns ? *reinterpret_cast<const uint32_t*>(from + i) : 0;
    }
  }
}

// What one warp holds of a product's result, rows [16 kRowBlocks, 8 kColumnBlocks]: with g = lane / 4 and
// t = lane % 4, element e of block (i, j) is row 16 i + g + 8 (e / 2), column 8 j + 2 t + e % 2.
template <int kRowBlocks, int kColumnBlocks>
using Fragments = float[kRowBlocks][kColumnBlocks][4];

template <int kRowBlocks, int kColumnBlocks>
__device__ __forceinline__ void set_zero(Fragments<kRowBlocks, kColumnBlocks>& fragments) {
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int j = 0; j < kColumnBlocks; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) fragments[i][j][e] = 0;
}

// scores += a b^T over kHeadDim columns. a: the warp's 16 kRowBlocks rows of a tile; b: 8 kColumnBlocks rows
// of another.
template <int kHeadDim, int kRowBlocks, int kColumnBlocks>
__device__ __forceinline__ void multiply_rows(Fragments<kRowBlocks, kColumnBlocks>& scores, const Bf16* a,
                                              const Bf16* b) {
  static_assert(kHeadDim % 16 == 0 && kColumnBlocks % 2 == 0);
  constexpr int kStride = kTileStride<kHeadDim>;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  a += lane % 16 * kStride + lane / 16 * 8;
  b += (lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * 8;
#pragma unroll
  for (int k = 0; k < kHeadDim; k += 16) {
    uint32_t left[kRowBlocks][4];
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) load_matrices<false>(left[i], a + i * 16 * kStride + k);
#pragma unroll
    for (int j = 0; j < kColumnBlocks; j += 2) {
      uint32_t right[4];
      load_matrices<false>(right, b + j * 8 * kStride + k);
      const uint32_t first[2] = {right[0], right[1]}, second[2] = {right[2], right[3]};
#pragma unroll
      for (int i = 0; i < kRowBlocks; ++i) {
        multiply_m16n8k16(scores[i][j], left[i], first);
        multiply_m16n8k16(scores[i][j + 1], left[i], second);
      }
    }
  }
}

// Fragments rounded to bf16, two columns in one number: element `half` is row 16 i + g + 8 half.
template <int kRowBlocks, int kColumnBlocks>
using PackedFragments = uint32_t[kRowBlocks][kColumnBlocks][2];

template <int kRowBlocks, int kColumnBlocks>
__device__ __forceinline__ void pack_fragments(const Fragments<kRowBlocks, kColumnBlocks>& fragments,
                                               PackedFragments<kRowBlocks, kColumnBlocks>& packed) {
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int j = 0; j < kColumnBlocks; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        packed[i][j][half] = pack_bf16(fragments[i][j][half * 2], fragments[i][j][half * 2 + 1]);
}

// sums += weights b. b: 8 kInnerBlocks rows of a tile, 8 kColumnBlocks columns from b's first on.
template <int kHeadDim, int kRowBlocks, int kInnerBlocks, int kColumnBlocks>
__device__ __forceinline__ void multiply_weights(Fragments<kRowBlocks, kColumnBlocks>& sums,
                                                 const PackedFragments<kRowBlocks, kInnerBlocks>& weights,
                                                 const Bf16* b) {
  static_assert(kInnerBlocks % 2 == 0 && kColumnBlocks % 2 == 0);
  constexpr int kStride = kTileStride<kHeadDim>;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  b += lane % 16 * kStride + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kInnerBlocks; k += 2) {
#pragma unroll
    for (int j = 0; j < kColumnBlocks; j += 2) {
      uint32_t right[4];
      load_matrices<true>(right, b + k * 8 * kStride + j * 8);
      const uint32_t first[2] = {right[0], right[1]}, second[2] = {right[2], right[3]};
#pragma unroll
      for (int i = 0; i < kRowBlocks; ++i) {
        const uint32_t left[4] = {weights[i][k][0], weights[i][k][1], weights[i][k + 1][0],
                                  weights[i][k + 1][1]};
        multiply_m16n8k16(sums[i][j], left, first);
        multiply_m16n8k16(sums[i][j + 1], left, second);
      }
    }
  }
}

// The same with the weights rounded here.
template <int kHeadDim, int kRowBlocks, int kInnerBlocks, int kColumnBlocks>
__device__ __forceinline__ void multiply_weights(Fragments<kRowBlocks, kColumnBlocks>& sums,
                                                 const Fragments<kRowBlocks, kInnerBlocks>& weights,
                                                 const Bf16* b) {
  PackedFragments<kRowBlocks, kInnerBlocks> packed;
  pack_fragments(weights, packed);
  multiply_weights<kHeadDim>(sums, packed, b);
}

__device__ __forceinline__ void store_pair(Bf16* to, float first, float second) {
  *reinterpret_cast<uint32_t*>(to) = pack_bf16(first, second);
}
__device__ __forceinline__ void store_pair(float* to, float first, float second) {
  *reinterpret_cast<float2*>(to) = make_float2(first, second);
}

// factor * sums to the warp's rows of global memory, `to` being the first of them, `stride` elements apart:
// the first `rows` rows and `columns` columns.
template <class Element, int kRowBlocks, int kColumnBlocks>
__device__ __forceinline__ void store_rows(const Fragments<kRowBlocks, kColumnBlocks>& sums, float factor,
                                           Element* to, int64_t stride, int rows, int columns) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = i * 16 + half * 8 + lane / 4;
      if (row >= rows) continue;
#pragma unroll
      for (int j = 0; j < kColumnBlocks; ++j) {
        const int column = j * 8 + lane % 4 * 2;
        if (column < columns)
          store_pair(to + row * stride + column, factor * sums[i][j][half * 2],
                     factor * sums[i][j][half * 2 + 1]);
      }
    }
}

// Over the four lanes that share a row of fragments; all of them get the result.
__device__ __forceinline__ float row_sum(float value) {
  value += __shfl_xor_sync(0xFFFFFFFFu, value, 1);
  return value + __shfl_xor_sync(0xFFFFFFFFu, value, 2);
}
__device__ __forceinline__ float row_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, 2));
}

}  // namespace msn::kernels
