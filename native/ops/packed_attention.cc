// Shape checks of the training attention.
#include "ops/packed_attention.h"

namespace msn {
namespace {

struct Sizes {
  int64_t tokens, heads, kv_heads, head_dim;
};

template <class Args>
Sizes check_inputs(const Args& args, Dtype activations, const char* name) {
  check(args.query.rank == 3, "query: expected three dimensions", name);
  check(args.keys.rank == 3, "keys: expected three dimensions", name);
  const Sizes sizes = {args.query.shape[0], args.query.shape[1], args.keys.shape[0], args.query.shape[2]};
  check_tensor(args.query, activations, {sizes.tokens, sizes.heads, sizes.head_dim},
               "packed_attention.query");
  check_tensor(args.keys, activations, {sizes.kv_heads, sizes.tokens, sizes.head_dim},
               "packed_attention.keys");
  check_tensor(args.values, activations, {sizes.kv_heads, sizes.tokens, sizes.head_dim},
               "packed_attention.values");
  check(sizes.kv_heads > 0 && sizes.heads % sizes.kv_heads == 0,
        "heads must be a multiple of the key/value heads", name);
  check(args.document_offsets.rank == 1 && args.document_offsets.shape[0] >= 1,
        "document_offsets: expected [documents + 1]", name);
  check_tensor(args.document_offsets, Dtype::kI32, {args.document_offsets.shape[0]},
               "packed_attention.document_offsets");
  check(args.window >= 0, "window must not be negative", name);
  check_tensor(args.output, activations, {sizes.tokens, sizes.heads * sizes.head_dim},
               "packed_attention.output");
  check_tensor(args.log_sum_exp, Dtype::kF32, {sizes.heads, sizes.tokens}, "packed_attention.log_sum_exp");
  return sizes;
}

}  // namespace

void check(const PackedAttentionForward& args, Dtype activations) {
  check_inputs(args, activations, "packed_attention");
}

void check(const PackedAttentionBackward& args, Dtype activations) {
  const auto [tokens, heads, kv_heads, head_dim] =
      check_inputs(args, activations, "packed_attention_backward");
  check_tensor(args.output_gradient, activations, {tokens, heads * head_dim},
               "packed_attention_backward.output_gradient");
  check_tensor(args.query_gradient, activations, {tokens, heads, head_dim},
               "packed_attention_backward.query_gradient");
  check_tensor(args.keys_gradient, activations, {kv_heads, tokens, head_dim},
               "packed_attention_backward.keys_gradient");
  check_tensor(args.values_gradient, activations, {kv_heads, tokens, head_dim},
               "packed_attention_backward.values_gradient");
}

}  // namespace msn
