// Attention of the nodes of a token tree over a cached prefix: a node sees the prefix, its ancestors and
// itself. Sums run in order of position, whatever cache row a key lies in (docs/exactness.md).
#pragma once
#include "ops/tensor.h"

namespace msn {

struct TreeAttention {
  Tensor query;          // f32 [nodes, heads, head_dim], rotated
  Tensor keys;           // f32 [kv_heads, capacity, head_dim]; node i lies in row prefix_length + i
  Tensor values;         // f32 [kv_heads, capacity, head_dim]
  Tensor prefix_length;  // i32 [1]: rows 0 .. prefix_length - 1 are positions 0 .. prefix_length - 1
  Tensor parents;        // i32 [nodes]: parent node, before its children; -1 follows the prefix directly
  int64_t window = 0;    // a node sees this many positions, itself included; 0: all
  Tensor output;         // f32 [nodes, heads * head_dim]
};
void check(const TreeAttention& args);

}  // namespace msn
