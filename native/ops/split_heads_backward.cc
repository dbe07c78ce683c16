// Shape checks of the gradient of split_heads.
#include "ops/split_heads.h"

namespace msn {

void check(const SplitHeadsBackward& args, Dtype activations) {
  const char* name = "split_heads_backward";
  check(args.query_gradient.rank == 3, "query_gradient: expected three dimensions", name);
  check(args.keys_gradient.rank == 3, "keys_gradient: expected three dimensions", name);
  const int64_t rows = args.query_gradient.shape[0], heads = args.query_gradient.shape[1];
  const int64_t head_dim = args.query_gradient.shape[2], kv_heads = args.keys_gradient.shape[0];
  const int64_t width = (heads + 2 * kv_heads) * head_dim;
  check(head_dim % 2 == 0, "head_dim: expected an even number", name);
  check_tensor(args.query_gradient, activations, {rows, heads, head_dim},
               "split_heads_backward.query_gradient");
  check_tensor(args.keys_gradient, activations, {kv_heads, rows, head_dim},
               "split_heads_backward.keys_gradient");
  check_tensor(args.values_gradient, activations, {kv_heads, rows, head_dim},
               "split_heads_backward.values_gradient");
  check_tensor(args.rotary, Dtype::kF32, {rows, head_dim}, "split_heads_backward.rotary");
  check_tensor(args.qkv_gradient, activations, {rows, width}, "split_heads_backward.qkv_gradient");
  const bool normed = static_cast<bool>(args.query_norm);
  check(normed == static_cast<bool>(args.key_norm), "query_norm and key_norm: both or none", name);
  if (!normed) return;
  check_tensor(args.qkv, activations, {rows, width}, "split_heads_backward.qkv");
  check_tensor(args.query_norm, Dtype::kF32, {head_dim}, "split_heads_backward.query_norm");
  check_tensor(args.key_norm, Dtype::kF32, {head_dim}, "split_heads_backward.key_norm");
  check_tensor(args.query_norm_gradient, Dtype::kF32, {head_dim}, "split_heads_backward.query_norm_gradient");
  check_tensor(args.key_norm_gradient, Dtype::kF32, {head_dim}, "split_heads_backward.key_norm_gradient");
}

}  // namespace msn
