// Forward pass of the training attention, a tile of query rows a block, the softmax going along the keys
// (FlashAttention-2, arXiv 2307.08691):
//   s = q k^T / sqrt(head_dim);  output = softmax(s) v;  log_sum_exp = log sum exp(s)
// query, output [tokens, heads, head_dim]; keys, values [kv_heads, tokens, head_dim].
#include <math.h>

#include "kernels/attention_tile.h"
#include "kernels/launcher.h"
#include "kernels/packed_attention.h"
#include "kernels/packed_documents.h"

namespace msn::kernels {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr float kLog2E = 1.44269504088896340736f;

// Two row blocks a warp halve the reads of shared memory per product; at 256 columns one fills the registers.
template <int kHeadDim>
struct Tile {
  static constexpr int kRowBlocks = kHeadDim <= 128 ? 2 : 1;
  static constexpr int kWarpRows = kRowBlocks * 16;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kKeys = kHeadDim <= 64 ? 64 : kHeadDim <= 128 ? 48 : 32;
  static constexpr int kKeyBlocks = kKeys / 8;
  static constexpr int64_t kSharedBytes =
      (kTileElements<kRows, kHeadDim> + 2 * kTileElements<kKeys, kHeadDim>)*int64_t{sizeof(Bf16)} +
      kRows * int64_t{sizeof(int)};
};

struct Problem {
  PackedAttentionForward args;
  float scale;  // 1 / sqrt(head_dim)
  bool aligned;
};

// The rows of one thread: of each row block two, `half` 0 and 1.
template <int kRowBlocks>
struct RowStates {
  float highest[kRowBlocks][2];  // of the scores so far, unscaled
  float sum[kRowBlocks][2];      // of this thread's columns
};

// scores become exp((s - highest) scale); states and output move to the new highest score.
template <int kRowBlocks, int kKeyBlocks, int kColumnBlocks>
__device__ __forceinline__ void exponentiate(Fragments<kRowBlocks, kKeyBlocks>& scores, float scale_log2,
                                             RowStates<kRowBlocks>& states,
                                             Fragments<kRowBlocks, kColumnBlocks>& output) {
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float highest = states.highest[i][half];
#pragma unroll
      for (int j = 0; j < kKeyBlocks; ++j)
        highest = fmaxf(highest, fmaxf(scores[i][j][half * 2], scores[i][j][half * 2 + 1]));
      highest = row_max(highest);
      // A row that has seen no key yet has no highest score, and all its weights are 0.
      const float shift = highest == -INFINITY ? 0.0f : highest * scale_log2;
      const float correction = exp2_approx(states.highest[i][half] * scale_log2 - shift);
      states.highest[i][half] = highest;
      float sum = states.sum[i][half] * correction;
#pragma unroll
      for (int j = 0; j < kKeyBlocks; ++j)
#pragma unroll
        for (int e = half * 2; e < half * 2 + 2; ++e) {
          scores[i][j][e] = exp2_approx(fmaf(scores[i][j][e], scale_log2, -shift));
          sum += scores[i][j][e];
        }
      states.sum[i][half] = sum;
#pragma unroll
      for (int j = 0; j < kColumnBlocks; ++j) {
        output[i][j][half * 2] *= correction;
        output[i][j][half * 2 + 1] *= correction;
      }
    }
}

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads) packed_attention_kernel(const Problem problem) {
  using T = Tile<kHeadDim>;
  wait_for_inputs();
  let_next_start();
  const PackedAttentionForward& args = problem.args;
  Bf16* const query_tile = shared_memory<Bf16>();
  Bf16* const key_tile = query_tile + kTileElements<T::kRows, kHeadDim>;
  Bf16* const value_tile = key_tile + kTileElements<T::kKeys, kHeadDim>;
  int* const first_visible = reinterpret_cast<int*>(value_tile + kTileElements<T::kKeys, kHeadDim>);

  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int head = static_cast<int>(blockIdx.x),
            kv_head = head / static_cast<int>(args.heads / args.kv_heads);
  const int tokens = static_cast<int>(args.tokens), head_dim = static_cast<int>(args.head_dim);
  // The tiles with the most keys first.
  const int first_row = static_cast<int>(gridDim.y - 1 - blockIdx.y) * T::kRows;
  const int end_row = min(first_row + T::kRows, tokens);
  const int64_t width = args.heads * args.head_dim, kv_offset = kv_head * args.tokens * args.head_dim;
  const TileSource query = {args.query + head * args.head_dim, width, head_dim, problem.aligned};
  const TileSource keys = {args.keys + kv_offset, args.head_dim, head_dim, problem.aligned};
  const TileSource values = {args.values + kv_offset, args.head_dim, head_dim, problem.aligned};

  for (int row = thread; row < T::kRows; row += kThreads)
    first_visible[row] = first_row + row < tokens
                             ? first_visible_key(args.document_offsets, static_cast<int>(args.documents),
                                                 static_cast<int>(args.window), first_row + row)
                             : tokens;
  __syncthreads();
  const int warp_row = warp * T::kWarpRows, warp_first = first_row + warp_row;
  const int warp_last = warp_first + T::kWarpRows - 1;
  const int last_first_visible = first_visible[warp_row + T::kWarpRows - 1];

  Fragments<T::kRowBlocks, kHeadDim / 8> output;
  set_zero(output);
  RowStates<T::kRowBlocks> states;
#pragma unroll
  for (int i = 0; i < T::kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      states.highest[i][half] = -INFINITY;
      states.sum[i][half] = 0;
    }

  const int begin = first_visible[0];
  load_tile<T::kRows, kHeadDim, kThreads>(query_tile, query, first_row, tokens);
  load_tile<T::kKeys, kHeadDim, kThreads>(key_tile, keys, begin, end_row);
  commit_copies();
  for (int key = begin; key < end_row; key += T::kKeys) {
    wait_for_copies<0>();
    __syncthreads();  // the keys are there, and nobody reads the values any more
    load_tile<T::kKeys, kHeadDim, kThreads>(value_tile, values, key, end_row);
    commit_copies();
    const bool seen = key <= warp_last;  // by any row of the warp
    Fragments<T::kRowBlocks, T::kKeyBlocks> scores;
    if (seen) {
      set_zero(scores);
      multiply_rows<kHeadDim>(scores, query_tile + warp_row * kTileStride<kHeadDim>, key_tile);
      if (key + T::kKeys - 1 > warp_first || key < last_first_visible)
        hide_unseen(scores, warp_first - key, key, first_visible + warp_row);
    }
    wait_for_copies<0>();
    __syncthreads();  // the values are there, and nobody reads the keys any more
    if (key + T::kKeys < end_row)
      load_tile<T::kKeys, kHeadDim, kThreads>(key_tile, keys, key + T::kKeys, end_row);
    commit_copies();
    if (seen) {
      exponentiate(scores, problem.scale * kLog2E, states, output);
      multiply_weights<kHeadDim>(output, scores, value_tile);
    }
  }

#pragma unroll
  for (int i = 0; i < T::kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = row_sum(states.sum[i][half]);
      const int row = warp_first + i * 16 + half * 8 + lane / 4;
      if (row >= tokens) continue;
      if (lane % 4 == 0)
        args.log_sum_exp[head * args.tokens + row] = states.highest[i][half] * problem.scale + logf(sum);
      const float inverse = 1.0f / sum;
      Bf16* const destination = args.output + row * width + head * args.head_dim;
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        const int column = j * 8 + lane % 4 * 2;
        if (column < head_dim)
          store_pair(destination + column, output[i][j][half * 2] * inverse,
                     output[i][j][half * 2 + 1] * inverse);
      }
    }
}

template <int kHeadDim>
Status launch_forward(const Problem& problem, const Launch& where) {
  using T = Tile<kHeadDim>;
  const Grid grid{dim3(static_cast<unsigned>(problem.args.heads),
                       static_cast<unsigned>(divided_up(problem.args.tokens, T::kRows))),
                  dim3(kThreads), T::kSharedBytes};
  return launch(packed_attention_kernel<kHeadDim>, grid, problem, where);
}

}  // namespace

Status packed_attention_forward(const PackedAttentionForward& args, const Launch& where) {
  if (args.tokens == 0) return 0;
  const bool aligned = rows_are_aligned(args.query, args.head_dim) &&
                       rows_are_aligned(args.keys, args.head_dim) &&
                       rows_are_aligned(args.values, args.head_dim);
  const Problem problem = {args, static_cast<float>(1 / sqrt(static_cast<double>(args.head_dim))), aligned};
  if (args.head_dim <= 32) return launch_forward<32>(problem, where);
  if (args.head_dim <= 64) return launch_forward<64>(problem, where);
  if (args.head_dim <= 80) return launch_forward<80>(problem, where);
  if (args.head_dim <= 96) return launch_forward<96>(problem, where);
  if (args.head_dim <= 128) return launch_forward<128>(problem, where);
  return launch_forward<256>(problem, where);
}

}  // namespace msn::kernels
