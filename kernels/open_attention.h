// The open part of the tree attention: a node's last positions, at most 96, gathered along its path by one
// warp for all heads of a head group. The heads are the rows of the matrix instructions, and the place of a
// position in them is its distance from the first open one: so the sums have one order, wherever in the cache
// the path lies.
#pragma once
#include "kernels/attention_tile.h"
#include "kernels/tree_problem.h"

namespace msn::kernels {

constexpr int kOpenKeyBlocks = kMostOpenPositions / 8;

// Cache rows of positions first_open + lane, + 32 and + 64; -1 where the node does not see.
struct OpenRows {
  int rows[kMostOpenPositions / 32];

  // Row of the open position 32 part + index.
  __device__ int of(int part, int index) const { return __shfl_sync(0xFFFFFFFFu, rows[part], index); }
};

// By a whole warp. position: of the node, set here.
__device__ __forceinline__ OpenRows open_rows(const TreeAttention& args, int prefix, int node,
                                              int* position) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int depth = node, ancestor_above = -1;  // lane i holds the ancestor i + 1 steps above the node
  if (!args.chain) {
    depth = 0;
    for (int ancestor = args.parents[node]; ancestor >= 0; ancestor = args.parents[ancestor], ++depth)
      if (lane == depth) ancestor_above = ancestor;
  }
  *position = prefix + depth;
  const int first = closed_end(*position), visible = first_visible(args, *position);
  OpenRows open;
#pragma unroll
  for (int i = 0; i < kMostOpenPositions / 32; ++i) {
    const int at = first + i * 32 + lane, steps_up = *position - at;
    const int ancestor = __shfl_sync(0xFFFFFFFFu, ancestor_above, steps_up - 1);
    const bool cached = args.chain || at < prefix;
    open.rows[i] = steps_up < 0 || at < visible ? -1
                   : cached                     ? at
                   : steps_up == 0              ? prefix + node
                                                : prefix + ancestor;
  }
  return open;
}

// Eight numbers of a row from `column` on, zeros behind head_dim or without a row.
__device__ __forceinline__ uint4 load_eight(const Bf16* row, int column, int head_dim, bool aligned) {
  uint4 eight = make_uint4(0, 0, 0, 0);
  if (row == nullptr || column >= head_dim) return eight;
  if (aligned) return *reinterpret_cast<const uint4*>(row + column);
  const uint32_t* const pairs = reinterpret_cast<const uint32_t*>(row + column);
  eight.x = pairs[0];
  if (column + 2 < head_dim) eight.y = pairs[1];
  if (column + 4 < head_dim) eight.z = pairs[2];
  if (column + 6 < head_dim) eight.w = pairs[3];
  return eight;
}

// scores = q k^T of 16 heads and the open positions. A lane reads eight neighbouring columns of a row for two
// instructions: which columns meet in which step is the same for queries and keys, and all that a dot product
// asks for.
__device__ __forceinline__ void open_scores(Fragments<1, kOpenKeyBlocks>& scores, const TreeProblem& problem,
                                            const HeadGroup& heads, const Bf16* keys, int node,
                                            const OpenRows& open) {
  const int lane = static_cast<int>(threadIdx.x) % 32, head = lane / 4;
  const int head_dim = static_cast<int>(problem.args.head_dim);
  int key_rows[kOpenKeyBlocks];
#pragma unroll
  for (int j = 0; j < kOpenKeyBlocks; ++j) key_rows[j] = open.of(j / 4, j % 4 * 8 + lane / 4);
  const Bf16* const low = head < heads.count ? query_row(problem, node, heads.first + head) : nullptr;
  const Bf16* const high =
      head + 8 < heads.count ? query_row(problem, node, heads.first + head + 8) : nullptr;
  set_zero(scores);
  for (int chunk = 0; chunk < head_dim; chunk += 32) {
    const int column = chunk + lane % 4 * 8;
    const uint4 q = load_eight(low, column, head_dim, problem.aligned);
    const uint4 p = load_eight(high, column, head_dim, problem.aligned);
    const uint32_t first_left[4] = {q.x, p.x, q.y, p.y}, second_left[4] = {q.z, p.z, q.w, p.w};
#pragma unroll
    for (int j = 0; j < kOpenKeyBlocks; ++j) {
      const Bf16* const row =
          key_rows[j] >= 0 ? keys + static_cast<int64_t>(key_rows[j]) * head_dim : nullptr;
      const uint4 k = load_eight(row, column, head_dim, problem.aligned);
      const uint32_t first_right[2] = {k.x, k.y}, second_right[2] = {k.z, k.w};
      multiply_m16n8k16(scores[0][j], first_left, first_right);
      multiply_m16n8k16(scores[0][j], second_left, second_right);
    }
  }
}

// Two rows' numbers side by side, as the right factor wants them: their low halves, their high halves.
__device__ __forceinline__ uint32_t low_halves(uint32_t even, uint32_t odd) {
  return (even & 0xFFFFu) | (odd << 16);
}
__device__ __forceinline__ uint32_t high_halves(uint32_t even, uint32_t odd) {
  return (even >> 16) | (odd & 0xFFFF0000u);
}

// The open part of one node, by a whole warp. kColumns: of a row of partial_outputs.
template <int kColumns>
__device__ __forceinline__ void attend_open(const TreeProblem& problem, int prefix, int node) {
  const TreeAttention& args = problem.args;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int head_dim = static_cast<int>(args.head_dim);
  const HeadGroup heads = head_group(problem);
  const int64_t cache_offset = heads.key_head * args.capacity * head_dim;
  const Bf16* const values = args.values + cache_offset;
  int position;
  const OpenRows open = open_rows(args, prefix, node, &position);
  const int first = closed_end(position), visible = first_visible(args, position);

  Fragments<1, kOpenKeyBlocks> scores;
  open_scores(scores, problem, heads, args.keys + cache_offset, node, open);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float highest = -INFINITY;
#pragma unroll
    for (int j = 0; j < kOpenKeyBlocks; ++j)
#pragma unroll
      for (int e = half * 2; e < half * 2 + 2; ++e) {
        const int at = first + j * 8 + lane % 4 * 2 + e % 2;
        if (at < visible || at > position) scores[0][j][e] = -INFINITY;
        highest = fmaxf(highest, scores[0][j][e]);
      }
    highest = row_max(highest) * problem.scale;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kOpenKeyBlocks; ++j) {
#pragma unroll
      for (int e = half * 2; e < half * 2 + 2; ++e) {
        scores[0][j][e] = exp2_approx(fmaf(scores[0][j][e], problem.scale, -highest));
        sum += scores[0][j][e];
      }
    }
    sum = row_sum(sum);
    const int head = lane / 4 + half * 8;
    if (head < heads.count && lane % 4 == 0)
      problem.partial_stats[problem.partial_row(problem.span_slots,
                                                (node - problem.first_node) * problem.group_heads + head)] =
          make_float2(highest, sum);
  }

  PackedFragments<1, kOpenKeyBlocks> weights;
  pack_fragments(scores, weights);

  // 64 columns at a time, eight neighbouring ones a lane: column 8 g + j is column g of block j.
  for (int column = 0; column < head_dim; column += 64) {
    Fragments<1, 8> sums;
    set_zero(sums);
#pragma unroll
    for (int k = 0; k < kOpenKeyBlocks / 2; ++k) {
      uint4 v[4];  // of positions 2t, 2t + 1, 2t + 8, 2t + 9
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int value_row = open.of(k / 2, k % 2 * 16 + i / 2 * 8 + lane % 4 * 2 + i % 2);
        const Bf16* const row =
            value_row >= 0 ? values + static_cast<int64_t>(value_row) * head_dim : nullptr;
        v[i] = load_eight(row, column + lane / 4 * 8, head_dim, problem.aligned);
      }
      const uint32_t left[4] = {weights[0][k * 2][0], weights[0][k * 2][1], weights[0][k * 2 + 1][0],
                                weights[0][k * 2 + 1][1]};
      const auto multiply = [&](int j, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
        const uint32_t even[2] = {low_halves(a, b), low_halves(c, d)};
        const uint32_t odd[2] = {high_halves(a, b), high_halves(c, d)};
        multiply_m16n8k16(sums[0][j], left, even);
        multiply_m16n8k16(sums[0][j + 1], left, odd);
      };
      multiply(0, v[0].x, v[1].x, v[2].x, v[3].x);
      multiply(2, v[0].y, v[1].y, v[2].y, v[3].y);
      multiply(4, v[0].z, v[1].z, v[2].z, v[3].z);
      multiply(6, v[0].w, v[1].w, v[2].w, v[3].w);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int head = lane / 4 + half * 8;
      if (head >= heads.count) continue;
      float* const output =
          problem.partial_outputs +
          problem.partial_row(problem.span_slots, (node - problem.first_node) * problem.group_heads + head) *
              kColumns;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int at = column + (lane % 4 * 2 + e) * 8;
        if (at >= kColumns) continue;
#pragma unroll
        for (int j = 0; j < 8; j += 4)
          *reinterpret_cast<float4*>(output + at + j) =
              make_float4(sums[0][j][half * 2 + e], sums[0][j + 1][half * 2 + e],
                          sums[0][j + 2][half * 2 + e], sums[0][j + 3][half * 2 + e]);
      }
    }
  }
}

}  // namespace msn::kernels
