// Causal attention over documents packed one behind another, forward and backward: what training uses. The
// grids depend on the number of tokens alone; where documents begin is read on the device.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

// Every head_dim is even and at most 256; heads are a multiple of kv_heads.
struct PackedAttentionForward {
  const Bf16* query;                // [tokens, heads, head_dim], rotated
  const Bf16* keys;                 // [kv_heads, tokens, head_dim]
  const Bf16* values;               // [kv_heads, tokens, head_dim]
  const int32_t* document_offsets;  // [documents + 1], ascending from 0 to tokens
  Bf16* output;                     // [tokens, heads * head_dim]
  float* log_sum_exp;               // [heads, tokens]: log of the softmax denominator
  int64_t tokens;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t documents;
  int64_t window;  // a token sees this many positions, itself included; 0: all
};
Status packed_attention_forward(const PackedAttentionForward& args, const Launch& where);

// Uses scratch: f32 [heads / kv_heads, tokens] at least; with [heads, tokens] all heads go in one launch.
struct PackedAttentionBackward {
  const Bf16* query;  // as in the forward pass
  const Bf16* keys;
  const Bf16* values;
  const int32_t* document_offsets;
  const Bf16* output;           // [tokens, heads * head_dim]
  const float* log_sum_exp;     // [heads, tokens]
  const Bf16* output_gradient;  // [tokens, heads * head_dim]
  Bf16* query_gradient;         // [tokens, heads, head_dim], overwritten
  Bf16* keys_gradient;          // [kv_heads, tokens, head_dim], overwritten
  Bf16* values_gradient;        // [kv_heads, tokens, head_dim], overwritten
  int64_t tokens;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t documents;
  int64_t window;
};
Status packed_attention_backward(const PackedAttentionBackward& args, const Launch& where);

}  // namespace msn::kernels
