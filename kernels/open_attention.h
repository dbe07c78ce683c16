// The open part of the tree attention: a node's last positions, at most 96, gathered along its path by one
// warp for all heads of a head group. The heads are the rows of the matrix instructions, and the place of a
// position in them is its distance from the first open one: so the sums have one order, wherever in the cache
// the path lies.
#pragma once
#include "kernels/attention_tile.h"
#include "kernels/tree_problem.h"

namespace msn::kernels {

constexpr int kOpenKeyBlocks = kMostOpenPositions / 8;
constexpr int kValueSteps = 3;  // of 16 positions, whose values are loaded at once: registers hold no more

// Cache rows of positions first_open + lane, + 32 and + 64; the node's own row where it does not see: all
// loads can be made, and what they bring weighs nothing.
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
    open.rows[i] = steps_up <= 0 || at < visible ? prefix + node : cached ? at : prefix + ancestor;
  }
  return open;
}

// Eight numbers of a row of `rows` from `column` on. Those behind head_dim are any of the row's numbers.
template <bool kAligned>
__device__ __forceinline__ uint4 load_eight(const Bf16* rows, int row, int column, int head_dim) {
  if constexpr (kAligned)
    return reinterpret_cast<const uint4*>(rows)[row * (head_dim / 8) + (column < head_dim ? column / 8 : 0)];
  const uint32_t* const pairs = reinterpret_cast<const uint32_t*>(rows);
  uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    words[i] = pairs[row * (head_dim / 2) + (column + 2 * i < head_dim ? column / 2 + i : 0)];
  return make_uint4(words[0], words[1], words[2], words[3]);
}

// Zeros in place of those behind head_dim.
__device__ __forceinline__ uint4 existing_of(const uint4& eight, int column, int head_dim) {
  return make_uint4(column < head_dim ? eight.x : 0, column + 2 < head_dim ? eight.y : 0,
                    column + 4 < head_dim ? eight.z : 0, column + 6 < head_dim ? eight.w : 0);
}

// scores = q k^T of 16 heads and the open positions; those of heads that do not exist are any numbers. A lane
// reads eight neighbouring columns of a row for two instructions: which columns meet in which step is the
// same for queries and keys, and all that a dot product asks for.
template <bool kAligned>
__device__ __forceinline__ void open_scores(Fragments<1, kOpenKeyBlocks>& scores, const TreeProblem& problem,
                                            const HeadGroup& heads, const Bf16* keys, int node,
                                            const OpenRows& open) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int head_dim = static_cast<int>(problem.args.head_dim);
  int key_rows[kOpenKeyBlocks];
#pragma unroll
  for (int j = 0; j < kOpenKeyBlocks; ++j) key_rows[j] = open.of(j / 4, j % 4 * 8 + lane / 4);
  const Bf16* const low = query_row(problem, node, heads.first + min(lane / 4, heads.count - 1));
  const Bf16* const high = query_row(problem, node, heads.first + min(lane / 4 + 8, heads.count - 1));
  set_zero(scores);
#pragma unroll 1
  for (int chunk = 0; chunk < head_dim; chunk += 32) {
    const int column = chunk + lane % 4 * 8;
    uint4 k[kOpenKeyBlocks];  // all on their way before the first is waited for
#pragma unroll
    for (int j = 0; j < kOpenKeyBlocks; ++j) k[j] = load_eight<kAligned>(keys, key_rows[j], column, head_dim);
    const uint4 q = existing_of(load_eight<kAligned>(low, 0, column, head_dim), column, head_dim);
    const uint4 p = existing_of(load_eight<kAligned>(high, 0, column, head_dim), column, head_dim);
    const uint32_t first_left[4] = {q.x, p.x, q.y, p.y}, second_left[4] = {q.z, p.z, q.w, p.w};
#pragma unroll
    for (int j = 0; j < kOpenKeyBlocks; ++j) {
      const uint32_t first_right[2] = {k[j].x, k[j].y}, second_right[2] = {k[j].z, k[j].w};
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

// sums += weights v, of 16 positions.
__device__ __forceinline__ void add_weighted(Fragments<1, 8>& sums, const uint32_t (&near)[2],
                                             const uint32_t (&far)[2], const uint4 (&v)[4]) {
  const uint32_t left[4] = {near[0], near[1], far[0], far[1]};
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

// The open part of one node, by a whole warp. kColumns: of a row of partial_outputs. kAligned: as the problem
// says.
template <int kColumns, bool kAligned>
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
  open_scores<kAligned>(scores, problem, heads, args.keys + cache_offset, node, open);
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
#pragma unroll 1
  for (int column = 0; column < head_dim; column += 64) {
    Fragments<1, 8> sums;
    set_zero(sums);
#pragma unroll
    for (int k = 0; k < kOpenKeyBlocks / 2; k += kValueSteps) {
      uint4 v[kValueSteps][4];  // of positions 2t, 2t + 1, 2t + 8, 2t + 9 of each step
#pragma unroll
      for (int step = 0; step < kValueSteps; ++step)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int value_row =
              open.of((k + step) / 2, (k + step) % 2 * 16 + i / 2 * 8 + lane % 4 * 2 + i % 2);
          v[step][i] = load_eight<kAligned>(values, value_row, column + lane / 4 * 8, head_dim);
        }
#pragma unroll
      for (int step = 0; step < kValueSteps; ++step)
        add_weighted(sums, weights[0][(k + step) * 2], weights[0][(k + step) * 2 + 1], v[step]);
      __syncwarp();  // the compiler must not move the next loads in front of this
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
