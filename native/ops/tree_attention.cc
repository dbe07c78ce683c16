// Shape checks of tree_attention.
#include "ops/tree_attention.h"

namespace msn {

void check(const TreeAttention& args, Dtype activations) {
  const int64_t nodes = args.query.shape[0];
  const int64_t heads = args.query.shape[1];
  const int64_t head_dim = args.query.shape[2];
  const int64_t kv_heads = args.keys.shape[0];
  const int64_t capacity = args.keys.shape[1];
  check_tensor(args.query, activations, {nodes, heads, head_dim}, "tree_attention.query");
  check_tensor(args.keys, activations, {kv_heads, capacity, head_dim}, "tree_attention.keys");
  check_tensor(args.values, activations, {kv_heads, capacity, head_dim}, "tree_attention.values");
  check_tensor(args.prefix_length, Dtype::kI32, {1}, "tree_attention.prefix_length");
  check_tensor(args.parents, Dtype::kI32, {nodes}, "tree_attention.parents");
  check_tensor(args.output, activations, {nodes, heads * head_dim}, "tree_attention.output");
  check(kv_heads > 0 && heads % kv_heads == 0, "expected the same number of query heads for every key head",
        "tree_attention.query");
  check(head_dim > 0, "expected a head_dim of at least 1", "tree_attention.query");
  check(nodes <= capacity, "expected a cache with room for the nodes", "tree_attention.keys");
  check(args.window >= 0, "expected a window of at least 0", "tree_attention.window");
}

}  // namespace msn
