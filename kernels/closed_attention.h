// The closed part of the tree attention: a tile of rows over the closed blocks of one span, through matrix
// instructions. A row's result depends on its own query and the keys and values that it sees: blocks run in
// order of position, and the result is stored behind the last one that the row sees.
#pragma once
#include "kernels/attention_tile.h"
#include "kernels/launcher.h"
#include "kernels/tree_problem.h"

namespace msn::kernels {

// Closed positions that a row sees.
struct Seen {
  int begin, end;

  __device__ bool any(int first, int last) const { return max(begin, first) < min(end, last); }
  __device__ bool all(int first, int last) const { return begin <= first && last <= end; }
};

// Whether three tiles of 128 columns fit into the shared memory of a multiprocessor.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200
constexpr bool kMuchSharedMemory = true;
#else
constexpr bool kMuchSharedMemory = false;
#endif

// kSharers warps share 16 rows: they deal the keys of the scores and the columns of the values among
// themselves, which changes no sum. 1 for many rows, 4 where there are no more than 16; 2 where a row's
// output is more than one warp has registers for.
template <int kHeadDim, int kSharers>
struct ClosedTile {
  static constexpr int kRows = kTreeWarps / kSharers * 16;
  // Blocks of a multiprocessor, as registers and shared memory allow.
  static constexpr int kResident = kHeadDim <= 96 || (kHeadDim <= 128 && kMuchSharedMemory) ? 3 : 2;
  // Tiles of keys and values take turns in a ring: all of them but one are on their way.
  static constexpr int kRing = kHeadDim <= 64 ? 4 : kHeadDim <= 128 ? 3 : 2;
  static constexpr int kTile = kTileElements<kBlockPositions, kHeadDim>;
  static constexpr int kKeyBlocks = kBlockPositions / 8 / kSharers;
  static constexpr int kColumnPairs = (kHeadDim / 16 + kSharers - 1) / kSharers;  // of 8 columns, of a warp
  // Scores that the sharers of rows exchange: f32 [kRows, kScoreStride].
  static constexpr int kScoreStride = kBlockPositions + 8;
  static constexpr int kQueries = kRing * kTile;  // where they lie in shared memory
  static constexpr int kScores = kQueries + kTileElements<kRows, kHeadDim>;
  static constexpr int64_t kSeen = kScores * int64_t{sizeof(Bf16)} +  // in bytes: [kRows]
                                   (kSharers > 1 ? kRows * kScoreStride * int64_t{sizeof(float)} : 0);
  static constexpr int64_t kSharedBytes = kSeen + kRows * int64_t{sizeof(Seen)};
};

// The queries of a tile's rows, zeros behind the last one.
template <int kRows, int kHeadDim>
__device__ __forceinline__ void load_queries(Bf16* tile, const TreeProblem& problem, const HeadGroup& heads) {
  constexpr int kChunks = kHeadDim / 8;
  const int head_dim = static_cast<int>(problem.args.head_dim);
  for (int chunk = static_cast<int>(threadIdx.x); chunk < kRows * kChunks; chunk += kTreeThreads) {
    const int tile_row = chunk / kChunks, column = chunk % kChunks * 8;
    const int row = problem.first_row() + tile_row, head = row % problem.group_heads;
    const bool wanted = tile_row < problem.rows_of_tile() && head < heads.count && column < head_dim;
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

// tile_row: within the tile; nothing is seen where it has no such row.
__device__ __forceinline__ Seen row_seen(const TreeProblem& problem, int prefix, int tile_row) {
  if (tile_row >= problem.rows_of_tile()) return {0, 0};
  const int node = problem.first_node + (problem.first_row() + tile_row) / problem.group_heads;
  const int position = prefix + node_depth(problem.args, node);
  return {first_visible(problem.args, position), closed_end(position)};
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
__device__ __forceinline__ void hide_unseen(Fragments<1, kBlockPositions / 8>& scores, const Seen& low,
                                            const Seen& high, int block) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int j = 0; j < kBlockPositions / 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int position = block + j * 8 + column + e % 2;
      const Seen& seen = e < 2 ? low : high;
      if (position < seen.begin || position >= seen.end) scores[0][j][e] = -INFINITY;
    }
}

// What a warp finds its own in: 16 rows of the tile, shared with the other sharers of these rows.
template <int kHeadDim, int kSharers>
struct RowsWarp {
  using T = ClosedTile<kHeadDim, kSharers>;
  int lane = static_cast<int>(threadIdx.x) % 32;
  int sharer = static_cast<int>(threadIdx.x) / 32 % kSharers;
  int first_row = static_cast<int>(threadIdx.x) / 32 / kSharers * 16;  // within the tile

  __device__ const Bf16* queries() const {
    return shared_memory<Bf16>() + T::kQueries + first_row * kTileStride<kHeadDim>;
  }
  // Of the thread's rows g and g + 8: elements 0 and 8.
  __device__ const Seen* seen() const {
    return reinterpret_cast<const Seen*>(shared_memory<unsigned char>() + T::kSeen) + first_row + lane / 4;
  }
  // A thread's scores of row g + 8 half and the 8 keys of block j, among the exchanged ones.
  __device__ float2* exchanged(int half, int j) const {
    float* const scores = reinterpret_cast<float*>(shared_memory<Bf16>() + T::kScores);
    return reinterpret_cast<float2*>(scores + (first_row + lane / 4 + half * 8) * T::kScoreStride + j * 8 +
                                     lane % 4 * 2);
  }

  // The scores of the sharer's keys; to be exchanged where there are others.
  __device__ void score(const Bf16* keys, Fragments<1, kBlockPositions / 8>& scores) const {
    Fragments<1, T::kKeyBlocks> own;
    set_zero(own);
    multiply_rows<kHeadDim>(own, queries(), keys + sharer * T::kKeyBlocks * 8 * kTileStride<kHeadDim>);
#pragma unroll
    for (int j = 0; j < T::kKeyBlocks; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        if constexpr (kSharers == 1) {
          scores[0][j][half * 2] = own[0][j][half * 2];
          scores[0][j][half * 2 + 1] = own[0][j][half * 2 + 1];
        } else {
          *exchanged(half, sharer * T::kKeyBlocks + j) =
              make_float2(own[0][j][half * 2], own[0][j][half * 2 + 1]);
        }
  }

  // The scores of all sharers, behind a barrier.
  __device__ void exchange(Fragments<1, kBlockPositions / 8>& scores) const {
    if constexpr (kSharers > 1)
#pragma unroll
      for (int j = 0; j < kBlockPositions / 8; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float2 pair = *exchanged(half, j);
          scores[0][j][half * 2] = pair.x;
          scores[0][j][half * 2 + 1] = pair.y;
        }
  }

  // output = correction * output + weights * values, the sharer's columns of it: every kSharers-th 16.
  __device__ void add_values(Fragments<1, 2> (&output)[T::kColumnPairs], const float (&correction)[2],
                             const PackedFragments<1, kBlockPositions / 8>& weights,
                             const Bf16* values) const {
#pragma unroll
    for (int i = 0; i < T::kColumnPairs; ++i) {
      const int pair = i * kSharers + sharer;
      if (pair >= kHeadDim / 16) break;
#pragma unroll
      for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) output[i][0][j][e] *= correction[e / 2];
      multiply_weights<kHeadDim>(output[i], weights, values + pair * 16);
    }
  }

  // The partial results of those of the thread's two rows that `wanted` names.
  __device__ void store(const TreeProblem& problem, int slot, const bool (&wanted)[2], const RowsState& state,
                        const Fragments<1, 2> (&output)[T::kColumnPairs]) const {
    // One address for both rows: registers are scarce in the loop that this stands in.
    const int64_t first = problem.partial_row(slot, problem.first_row() + first_row + lane / 4);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = row_sum(state.sum[half]);
      if (!wanted[half]) continue;
      if (sharer == 0 && lane % 4 == 0)
        problem.partial_stats[first + half * 8] = make_float2(state.highest[half], sum);
      float* const to = problem.partial_outputs + first * kHeadDim + lane % 4 * 2 + half * 8 * kHeadDim;
#pragma unroll
      for (int i = 0; i < T::kColumnPairs; ++i) {
        const int pair = i * kSharers + sharer;
        if (pair >= kHeadDim / 16) break;
#pragma unroll
        for (int j = 0; j < 2; ++j)
          store_pair(to + pair * 16 + j * 8, output[i][0][j][half * 2], output[i][0][j][half * 2 + 1]);
      }
    }
  }
};

// Finds out what each row of the tile sees, and notes for those that see nothing of [begin, end) that this
// span brings them nothing.
template <int kRows>
__device__ __forceinline__ void look_at_rows(Seen* all_seen, const TreeProblem& problem, int prefix, int slot,
                                             int begin, int end) {
  const int row = static_cast<int>(threadIdx.x);
  if (row >= kRows) return;
  const Seen seen = row_seen(problem, prefix, row);
  all_seen[row] = seen;
  if (row < problem.rows_of_tile() && !seen.any(begin, end))
    problem.partial_stats[problem.partial_row(slot, problem.first_row() + row)] = make_float2(-INFINITY, 0);
}

// Span number `slot` of those that the tile sees.
template <int kHeadDim, int kSharers>
__device__ __forceinline__ void attend_span(const TreeProblem& problem, const TileExtent& extent, int slot) {
  using T = ClosedTile<kHeadDim, kSharers>;
  const int span = extent.first_span + slot;
  const int begin = max(extent.begin, span_begin(span)), end = min(extent.end, span_begin(span + 1));
  const int tiles = (end - begin) / kBlockPositions * 2;  // of keys and of values, in turns
  const HeadGroup heads = head_group(problem);
  const int head_dim = static_cast<int>(problem.args.head_dim);
  const int64_t cache_offset = heads.key_head * problem.args.capacity * head_dim;
  const TileSource keys = {problem.args.keys + cache_offset, head_dim, head_dim, problem.aligned};
  const TileSource values = {problem.args.values + cache_offset, head_dim, head_dim, problem.aligned};
  Bf16* const ring = shared_memory<Bf16>();
  const auto fetch = [&](int tile) {
    if (tile < tiles)
      load_tile<kBlockPositions, kHeadDim, kTreeThreads>(ring + tile % T::kRing * T::kTile,
                                                         tile % 2 == 0 ? keys : values,
                                                         begin + tile / 2 * kBlockPositions, end);
    commit_copies();
  };

  load_queries<T::kRows, kHeadDim>(ring + T::kQueries, problem, heads);  // come with the first keys
#pragma unroll
  for (int tile = 0; tile < T::kRing - 1; ++tile) fetch(tile);
  look_at_rows<T::kRows>(reinterpret_cast<Seen*>(shared_memory<unsigned char>() + T::kSeen), problem,
                         extent.prefix, slot, begin, end);

  const RowsWarp<kHeadDim, kSharers> warp;
  const Seen* const seen = warp.seen();
  RowsState state;
  Fragments<1, 2> output[T::kColumnPairs];
#pragma unroll
  for (int i = 0; i < T::kColumnPairs; ++i) set_zero(output[i]);
  for (int tile = 0; tile < tiles; tile += 2) {
    const int block = begin + tile / 2 * kBlockPositions, block_end = block + kBlockPositions;
    wait_for_copies<T::kRing - 2>();
    __syncthreads();  // the keys are there, and nobody reads the tile that is fetched over
    fetch(tile + T::kRing - 1);
    // The same for all sharers of the rows.
    const bool wanted =
        __any_sync(0xFFFFFFFFu, seen[0].any(block, block_end) || seen[8].any(block, block_end));
    Fragments<1, kBlockPositions / 8> scores;
    if (wanted) warp.score(ring + tile % T::kRing * T::kTile, scores);
    wait_for_copies<T::kRing - 2>();
    __syncthreads();  // the values are there, and the exchanged scores
    fetch(tile + T::kRing);
    if (!wanted) continue;
    warp.exchange(scores);
    const Seen low = seen[0], high = seen[8];
    if (!low.all(block, block_end) || !high.all(block, block_end)) hide_unseen(scores, low, high, block);
    float correction[2];
    weigh(scores, problem.scale, state, correction);
    PackedFragments<1, kBlockPositions / 8> weights;
    pack_fragments(scores, weights);
    warp.add_values(output, correction, weights, ring + (tile + 1) % T::kRing * T::kTile);
    // What blocks behind the last one that a row sees leave in its registers is never used.
    const bool ends[2] = {low.any(block, block_end) && block_end == min(low.end, end),
                          high.any(block, block_end) && block_end == min(high.end, end)};
    if (__any_sync(0xFFFFFFFFu, ends[0] || ends[1])) warp.store(problem, slot, ends, state, output);
  }
}

}  // namespace msn::kernels
