// What the parts of the tree attention (closed, open, merge) share: the cut of the work into blocks of
// threads, where a node stands, and the partial results.
#pragma once
#include "kernels/cuda.h"
#include "kernels/position_spans.h"
#include "kernels/tree_attention.h"

namespace msn::kernels {

constexpr int kTreeWarps = 4;
constexpr int kTreeThreads = kTreeWarps * 32;
// Heads that share a key head, in groups that fit the 16 rows of a matrix instruction.
constexpr int kMostGroupHeads = 16;

// One launch. A tile is `tile_nodes` nodes with all heads of a head group, rows in the order (node, head).
// Grid: x tiles, y open_blocks and then span_slots, z head groups.
struct TreeProblem {
  TreeAttention args;
  int first_node, nodes;        // of the launch
  int first_group;              // head group of blockIdx.z = 0
  int group_heads, key_groups;  // heads of a head group; head groups of a key head
  int tile_nodes;
  int open_blocks;  // of a tile: blocks that compute the open part, a node a warp
  int span_slots;   // of a tile: the most spans that its nodes can see
  bool aligned;     // rows of query, keys and values start on 16 bytes
  float scale;      // log2(e) / sqrt(head_dim): weights are powers of two
  // Results by (head group, slot, row of the launch); slot span_slots is the open part.
  float* partial_outputs;  // [groups, span_slots + 1, rows, columns]
  float2* partial_stats;   // [groups, span_slots + 1, rows]: highest scaled score, sum of weights; where the
                           // highest is -infinity, the row sees nothing and its output is not set
  uint32_t* tickets;       // [groups, tiles]

  __device__ int rows() const { return nodes * group_heads; }
  // Of this block's tile.
  __device__ int first_row() const { return static_cast<int>(blockIdx.x) * tile_nodes * group_heads; }
  __device__ int rows_of_tile() const { return min(tile_nodes * group_heads, rows() - first_row()); }
  __device__ int64_t partial_row(int slot, int row) const {
    return (static_cast<int64_t>(blockIdx.z) * (span_slots + 1) + slot) * rows() + row;
  }
};

// Heads [first, first + count) of key head `key_head`.
struct HeadGroup {
  int key_head, first, count;
};
__device__ __forceinline__ HeadGroup head_group(const TreeProblem& problem) {
  const int group = problem.first_group + static_cast<int>(blockIdx.z);
  const int heads_of_key = static_cast<int>(problem.args.heads / problem.args.kv_heads);
  const int key_head = group / problem.key_groups;
  const int first = group % problem.key_groups * problem.group_heads;
  return {key_head, key_head * heads_of_key + first, min(problem.group_heads, heads_of_key - first)};
}

__device__ __forceinline__ const Bf16* query_row(const TreeProblem& problem, int node, int head) {
  return problem.args.query + (node * problem.args.heads + head) * problem.args.head_dim;
}

__device__ __forceinline__ int node_depth(const TreeAttention& args, int node) {
  if (args.chain) return node;
  int depth = 0;
  for (int ancestor = args.parents[node]; ancestor >= 0; ancestor = args.parents[ancestor]) ++depth;
  return depth;
}

__device__ __forceinline__ int first_visible(const TreeAttention& args, int position) {
  return args.window > 0 && position >= args.window ? position - static_cast<int>(args.window) + 1 : 0;
}

// The closed positions that any node of a tile can see, known without a look at the tree.
struct TileExtent {
  int prefix;
  int begin, end;         // positions, multiples of kBlockPositions
  int first_span, spans;  // that hold them
};
__device__ __forceinline__ TileExtent tile_extent(const TreeProblem& problem) {
  const TreeAttention& args = problem.args;
  TileExtent extent;
  extent.prefix = *args.prefix_length;
  int lowest = extent.prefix, highest;
  if (args.chain) {
    const int first = static_cast<int>(blockIdx.x) * problem.tile_nodes;
    lowest += problem.first_node + first;
    highest = lowest + min(problem.tile_nodes, problem.nodes - first) - 1;
  } else {
    highest = lowest + min(kDeepestTreeNode, static_cast<int>(args.nodes) - 1);
  }
  extent.begin = first_visible(args, lowest) / kBlockPositions * kBlockPositions;
  extent.end = closed_end(highest);
  extent.first_span = span_of(extent.begin);
  extent.spans = extent.begin < extent.end ? span_of(extent.end - 1) - extent.first_span + 1 : 0;
  return extent;
}

}  // namespace msn::kernels
