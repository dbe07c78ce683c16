// Attention of the nodes of a token tree over a cached prefix: a node sees the prefix, its ancestors and
// itself. Its output has the same bits in whatever tree, chain, cache or launch the node is computed.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

// head_dim is even and at most 256; heads are a multiple of kv_heads; the nodes' cache rows are written.
struct TreeAttention {
  const Bf16* query;             // [nodes, heads, head_dim], rotated
  const Bf16* keys;              // [kv_heads, capacity, head_dim]; node i lies in row prefix_length + i
  const Bf16* values;            // [kv_heads, capacity, head_dim]
  const int32_t* prefix_length;  // [1]: rows 0 .. prefix_length - 1 are positions 0 .. prefix_length - 1
  const int32_t* parents;        // [nodes]: parent node, before its children; -1 follows the prefix directly
  Bf16* output;                  // [nodes, heads * head_dim]
  int64_t nodes;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t capacity;
  int64_t window;  // a node sees this many positions, itself included; 0: all
  bool chain;      // every node follows the node before it; rows are positions then. Else no node is deeper
                   // than kDeepestTreeNode
};
// Uses scratch: f32 [nodes, heads, spans of positions + 1, head_dim + 2] at most, cut into several launches
// where less is there.
Status tree_attention(const TreeAttention& args, const Launch& where);

}  // namespace msn::kernels
