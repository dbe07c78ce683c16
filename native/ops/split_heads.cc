// Shape checks of split_heads.
#include "ops/split_heads.h"

namespace msn {

void check(const SplitHeadsForward& args, Dtype activations) {
  const int64_t rows = args.query.shape[0];
  const int64_t heads = args.query.shape[1];
  const int64_t head_dim = args.query.shape[2];
  const int64_t kv_heads = args.keys.shape[0];
  const int64_t capacity = args.keys.shape[1];
  check_tensor(args.query, activations, {rows, heads, head_dim}, "split_heads.query");
  check_tensor(args.keys, activations, {kv_heads, capacity, head_dim}, "split_heads.keys");
  check_tensor(args.values, activations, {kv_heads, capacity, head_dim}, "split_heads.values");
  check_tensor(args.qkv, activations, {rows, (heads + 2 * kv_heads) * head_dim}, "split_heads.qkv");
  check_tensor(args.rotary, Dtype::kF32, {rows, head_dim}, "split_heads.rotary");
  check_tensor(args.first_row, Dtype::kI32, {1}, "split_heads.first_row");
  if (args.query_norm) check_tensor(args.query_norm, Dtype::kF32, {head_dim}, "split_heads.query_norm");
  if (args.key_norm) check_tensor(args.key_norm, Dtype::kF32, {head_dim}, "split_heads.key_norm");
  check(head_dim > 0 && head_dim % 2 == 0, "expected an even head_dim", "split_heads.query");
  check(rows <= capacity, "expected a cache with room for the rows", "split_heads.keys");
}

}  // namespace msn
