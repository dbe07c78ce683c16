// Attention of the nodes of a token tree over a cached prefix: a node sees the prefix, its ancestors and
// itself. Sums run in order of position, whatever cache row a key lies in (docs/exactness.md).
#pragma once
#include "ops/tensor.h"

namespace msn {

// How far below the first node of a tree another may lie, so that closed blocks (docs/exactness.md) hold
// cached keys only.
constexpr int32_t kDeepestNode = 32;

struct TreeAttention {
  Tensor query;          // activations [nodes, heads, head_dim], rotated
  Tensor keys;           // activations [kv_heads, capacity, head_dim]; node i lies in row prefix_length + i
  Tensor values;         // activations [kv_heads, capacity, head_dim]
  Tensor prefix_length;  // i32 [1]: rows 0 .. prefix_length - 1 are positions 0 .. prefix_length - 1
  Tensor parents;        // i32 [nodes]: parent node, before its children; -1 follows the prefix directly
  bool chain = false;    // every node follows the node before it; rows are positions then. Else no node is
                         // deeper than kDeepestNode
  int64_t window = 0;    // a node sees this many positions, itself included; 0: all
  Tensor output;         // activations [nodes, heads * head_dim]
};
void check(const TreeAttention& args, Dtype activations = Dtype::kF32);

}  // namespace msn
