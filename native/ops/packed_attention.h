// Causal attention over documents packed one behind another: token i sees tokens 0..i of its own document.
// Forward keeps the log of the softmax denominator; backward recomputes the weights from it (FlashAttention,
// arXiv 2205.14135).
#pragma once
#include "ops/tensor.h"

namespace msn {

struct PackedAttentionForward {
  Tensor query;             // activations [tokens, heads, head_dim], rotated
  Tensor keys;              // activations [kv_heads, tokens, head_dim]
  Tensor values;            // activations [kv_heads, tokens, head_dim]
  Tensor document_offsets;  // i32 [documents + 1], ascending from 0 to tokens
  int64_t window = 0;       // 0: none
  Tensor output;            // activations [tokens, heads * head_dim]
  Tensor log_sum_exp;       // f32 [heads, tokens]
};
void check(const PackedAttentionForward& args, Dtype activations = Dtype::kF32);

struct PackedAttentionBackward {
  Tensor query, keys, values, document_offsets;  // as in the forward pass
  int64_t window = 0;
  Tensor output;           // activations [tokens, heads * head_dim]
  Tensor log_sum_exp;      // f32 [heads, tokens]
  Tensor output_gradient;  // activations [tokens, heads * head_dim]
  Tensor query_gradient;   // activations [tokens, heads, head_dim], overwritten
  Tensor keys_gradient;    // activations [kv_heads, tokens, head_dim], overwritten
  Tensor values_gradient;  // activations [kv_heads, tokens, head_dim], overwritten
};
void check(const PackedAttentionBackward& args, Dtype activations = Dtype::kF32);

}  // namespace msn
