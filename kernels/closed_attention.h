// The closed part of the tree attention: a tile of rows over the closed blocks of one span, through matrix
// instructions. A row's result depends on its own query and the span's keys and values: blocks run in order
// of position, and a block that a row does not see leaves the row's bits as they are.
#pragma once
#include "kernels/attention_tile.h"
#include "kernels/launcher.h"
#include "kernels/tree_problem.h"

namespace msn::kernels {

// kSharers warps share 16 rows: they deal the keys of the scores and the columns of the values among
// themselves, which changes no sum. 1 for many rows, 4 where there are no more than 16.
template <int kHeadDim, int kSharers>
struct ClosedTile {
  static constexpr int kRows = kTreeWarps / kSharers * 16;
  // Tiles of keys and values take turns in a ring; one more is on its way for every one but the first.
  static constexpr int kRing = kHeadDim <= 128 ? 4 : 2;
  // The rows' query rests in registers where they suffice; its tile is then the ring's last one at first.
  static constexpr bool kQueryInRegisters = kHeadDim <= 128;
  static constexpr int kTile = kTileElements<kBlockPositions, kHeadDim>;
  static constexpr int kQuery = kQueryInRegisters ? (kRing - 1) * kTile : kRing * kTile;
  static constexpr int kKeyBlocks = kBlockPositions / 8 / kSharers;
  static constexpr int kColumnPairs = (kHeadDim / 16 + kSharers - 1) / kSharers;  // of 8 columns, of a warp
  // Scores that the sharers of rows exchange: f32 [kRows, kScoreStride].
  static constexpr int kScoreStride = kBlockPositions + 8;
  static constexpr int kScores = kRing * kTile + (kQueryInRegisters ? 0 : kTileElements<kRows, kHeadDim>);
  static constexpr int64_t kSharedBytes =
      kScores * int64_t{sizeof(Bf16)} + (kSharers > 1 ? kRows * kScoreStride * int64_t{sizeof(float)} : 0);
};

// The queries of a tile's rows, zeros behind the last one.
template <int kRows, int kHeadDim>
__device__ __forceinline__ void load_queries(Bf16* tile, const TreeProblem& problem, const HeadGroup& heads,
                                             int first_row) {
  constexpr int kChunks = kHeadDim / 8;
  const int head_dim = static_cast<int>(problem.args.head_dim);
  for (int chunk = static_cast<int>(threadIdx.x); chunk < kRows * kChunks; chunk += kTreeThreads) {
    const int tile_row = chunk / kChunks, column = chunk % kChunks * 8;
    const int row = first_row + tile_row, head = row % problem.group_heads;
    const bool inside = tile_row < problem.tile_nodes * problem.group_heads && row < problem.rows();
    const bool wanted = inside && head < heads.count && column < head_dim;
    const int node = problem.first_node + row / problem.group_heads;
    const Bf16* const from = wanted ? query_row(problem, node, heads.first + head) + column : nullptr;
    Bf16* const to = tile + tile_row * kTileStride<kHeadDim> + column;
    if (problem.aligned) {
      copy_16_async(to, wanted ? from : problem.args.query, wanted);
    } else {
#pragma unroll
      for (int i = 0; i < 8; i += 2)
        *reinterpret_cast<uint32_t*>(to + i) =
            wanted && column + i < head_dim ? *reinterpret_cast<const uint32_t*>(from + i) : 0;
    }
  }
}

// The two rows of a thread, g and g + 8 of its warp's 16: the closed positions that they see.
struct RowsSeen {
  int begin[2], end[2];

  __device__ bool any(int block) const {
    return (block < end[0] && block + kBlockPositions > begin[0]) ||
           (block < end[1] && block + kBlockPositions > begin[1]);
  }
  __device__ bool whole(int block) const {
    return block >= max(begin[0], begin[1]) && block < min(end[0], end[1]);
  }
};
__device__ __forceinline__ RowsSeen rows_seen(const TreeProblem& problem, int prefix, int first_row,
                                              int tile_row) {
  RowsSeen seen;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int in_tile = tile_row + half * 8, row = first_row + in_tile;
    seen.begin[half] = seen.end[half] = 0;
    if (in_tile >= problem.tile_nodes * problem.group_heads || row >= problem.rows()) continue;
    const int node = problem.first_node + row / problem.group_heads;
    const int position = prefix + node_depth(problem.args, node);
    seen.begin[half] = first_visible(problem.args, position);
    seen.end[half] = closed_end(position);
  }
  return seen;
}

struct RowsState {
  float highest[2] = {-INFINITY, -INFINITY};  // scaled score so far
  float sum[2] = {0, 0};                      // of the weights of this thread's keys, relative to it
};

// scores become weights relative to the highest score so far; `correction` takes earlier sums there, and is 1
// exactly where the block brings nothing.
__device__ __forceinline__ void weigh(Fragments<1, kBlockPositions / 8>& scores, float scale,
                                      RowsState& state, float (&correction)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float highest = -INFINITY;
#pragma unroll
    for (int j = 0; j < kBlockPositions / 8; ++j)
      highest = fmaxf(highest, fmaxf(scores[0][j][half * 2], scores[0][j][half * 2 + 1]));
    highest = fmaxf(state.highest[half], row_max(highest) * scale);
    const float shift = highest == -INFINITY ? 0.0f : highest;
    correction[half] = exp2_approx(state.highest[half] - shift);
    state.highest[half] = highest;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kBlockPositions / 8; ++j)
#pragma unroll
      for (int e = half * 2; e < half * 2 + 2; ++e) {
        scores[0][j][e] = exp2_approx(fmaf(scores[0][j][e], scale, -shift));
        sum += scores[0][j][e];
      }
    state.sum[half] = fmaf(state.sum[half], correction[half], sum);
  }
}

// -infinity for the keys of a block that a row does not see.
__device__ __forceinline__ void hide_unseen(Fragments<1, kBlockPositions / 8>& scores, const RowsSeen& seen,
                                            int block) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int j = 0; j < kBlockPositions / 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int position = block + j * 8 + column + e % 2;
      if (position < seen.begin[e / 2] || position >= seen.end[e / 2]) scores[0][j][e] = -INFINITY;
    }
}

// Span number `slot` of those that the tile sees.
template <int kHeadDim, int kSharers>
__device__ __forceinline__ void attend_span(const TreeProblem& problem, const TileExtent& extent, int slot) {
  using T = ClosedTile<kHeadDim, kSharers>;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int sharer = warp % kSharers, warp_row = warp / kSharers * 16;
  const int first_row = static_cast<int>(blockIdx.x) * problem.tile_nodes * problem.group_heads;
  const int span = extent.first_span + slot;
  const int begin = max(extent.begin, span_begin(span)), end = min(extent.end, span_begin(span + 1));
  const int tiles = (end - begin) / kBlockPositions * 2;  // of keys and of values, in turns

  const HeadGroup heads = head_group(problem);
  const int head_dim = static_cast<int>(problem.args.head_dim);
  const int64_t cache_offset = heads.key_head * problem.args.capacity * head_dim;
  const TileSource keys = {problem.args.keys + cache_offset, head_dim, head_dim, problem.aligned};
  const TileSource values = {problem.args.values + cache_offset, head_dim, head_dim, problem.aligned};
  Bf16* const ring = shared_memory<Bf16>();
  Bf16* const queries = ring + T::kQuery;
  float* const exchange = reinterpret_cast<float*>(ring + T::kScores) + warp_row * T::kScoreStride +
                          lane / 4 * T::kScoreStride + lane % 4 * 2;
  const auto fetch = [&](int tile) {
    if (tile < tiles)
      load_tile<kBlockPositions, kHeadDim, kTreeThreads>(ring + tile % T::kRing * T::kTile,
                                                         tile % 2 == 0 ? keys : values,
                                                         begin + tile / 2 * kBlockPositions, end);
    commit_copies();
  };

  load_queries<T::kRows, kHeadDim>(queries, problem, heads, first_row);
  commit_copies();
#pragma unroll
  for (int tile = 0; tile < T::kRing - 1; ++tile) fetch(tile);
  const RowsSeen seen = rows_seen(problem, extent.prefix, first_row, warp_row + lane / 4);
  RowFragments<T::kQueryInRegisters ? kHeadDim : 16> query;
  if constexpr (T::kQueryInRegisters) {
    wait_for_copies<T::kRing - 1>();
    __syncthreads();
    load_rows<kHeadDim>(query, queries + warp_row * kTileStride<kHeadDim>);
  }

  RowsState state;
  Fragments<T::kColumnPairs, 2> output;
  set_zero(output);
  for (int tile = 0; tile < tiles; tile += 2) {
    const int block = begin + tile / 2 * kBlockPositions;
    const bool wanted = __any_sync(0xFFFFFFFFu, seen.any(block));  // the same for all sharers of the rows
    wait_for_copies<T::kRing - 2>();
    __syncthreads();  // the keys are there, and nobody reads the tile that is fetched over
    fetch(tile + T::kRing - 1);
    Fragments<1, kBlockPositions / 8> scores;
    if (wanted) {
      Fragments<1, T::kKeyBlocks> own;
      set_zero(own);
      const Bf16* const own_keys =
          ring + tile % T::kRing * T::kTile + sharer * T::kKeyBlocks * 8 * kTileStride<kHeadDim>;
      if constexpr (T::kQueryInRegisters)
        multiply_rows<kHeadDim>(own, query, own_keys);
      else
        multiply_rows<kHeadDim>(own, queries + warp_row * kTileStride<kHeadDim>, own_keys);
#pragma unroll
      for (int j = 0; j < T::kKeyBlocks; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          if constexpr (kSharers == 1) {
            scores[0][j][half * 2] = own[0][j][half * 2];
            scores[0][j][half * 2 + 1] = own[0][j][half * 2 + 1];
          } else {
            *reinterpret_cast<float2*>(exchange + half * 8 * T::kScoreStride +
                                       (sharer * T::kKeyBlocks + j) * 8) =
                make_float2(own[0][j][half * 2], own[0][j][half * 2 + 1]);
          }
        }
    }
    wait_for_copies<T::kRing - 2>();
    __syncthreads();  // the values are there, and the exchanged scores
    fetch(tile + T::kRing);
    if (!wanted) continue;
    if constexpr (kSharers > 1)
#pragma unroll
      for (int j = 0; j < kBlockPositions / 8; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float2 pair = *reinterpret_cast<const float2*>(exchange + half * 8 * T::kScoreStride + j * 8);
          scores[0][j][half * 2] = pair.x;
          scores[0][j][half * 2 + 1] = pair.y;
        }
    if (!seen.whole(block)) hide_unseen(scores, seen, block);
    float correction[2];
    weigh(scores, problem.scale, state, correction);
    const Bf16* const value_tile = ring + (tile + 1) % T::kRing * T::kTile;
#pragma unroll
    for (int i = 0; i < T::kColumnPairs; ++i) {
      const int pair = i * kSharers + sharer;
      if (pair >= kHeadDim / 16) break;
      Fragments<1, 2> sums;
      set_zero(sums);
      multiply_weights<kHeadDim>(sums, scores, value_tile + pair * 16);
#pragma unroll
      for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) output[i][j][e] = fmaf(output[i][j][e], correction[e / 2], sums[0][j][e]);
    }
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = row_sum(state.sum[half]);
    const int in_tile = warp_row + half * 8 + lane / 4, row = first_row + in_tile;
    if (in_tile >= problem.tile_nodes * problem.group_heads || row >= problem.rows()) continue;
    const int64_t partial = problem.partial_row(slot, row);
    if (sharer == 0 && lane % 4 == 0) problem.partial_stats[partial] = make_float2(state.highest[half], sum);
#pragma unroll
    for (int i = 0; i < T::kColumnPairs; ++i) {
      const int pair = i * kSharers + sharer;
      if (pair >= kHeadDim / 16) break;
#pragma unroll
      for (int j = 0; j < 2; ++j)
        *reinterpret_cast<float2*>(problem.partial_outputs + partial * kHeadDim + pair * 16 + j * 8 +
                                   lane % 4 * 2) =
            make_float2(output[i][j][half * 2], output[i][j][half * 2 + 1]);
    }
  }
}

}  // namespace msn::kernels
