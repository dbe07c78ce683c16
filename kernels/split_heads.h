// Query, key and value heads from the fused projection, and the gradient: optional query/key RMSNorm,
// rotation of query and key by halves, keys and values written as rows of a cache.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

constexpr int64_t kWidestHead = 512;

// (a, b) = (x[i], x[i + head_dim / 2]) -> (a cos - b sin, b cos + a sin).
struct SplitHeadsForward {
  const Bf16* qkv;           // [rows, (heads + 2 * kv_heads) * head_dim]: query, key, value heads
  const float* query_norm;   // [head_dim] or null
  const float* key_norm;     // [head_dim] or null
  const float* rotary;       // [rows, head_dim], see RotaryTable
  const int32_t* first_row;  // [1]: row i goes to cache row first_row + i
  Bf16* query;               // [rows, heads, head_dim]
  Bf16* keys;                // [kv_heads, capacity, head_dim]
  Bf16* values;              // [kv_heads, capacity, head_dim]
  int64_t rows;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;  // even, at most kWidestHead
  int64_t capacity;
  float epsilon;
};
Status split_heads_forward(const SplitHeadsForward& args, const Launch& where);

struct SplitHeadsBackward {
  const Bf16* qkv;              // [rows, (heads + 2 * kv_heads) * head_dim], as in the forward pass; null
                                // without norms
  const float* query_norm;      // [head_dim] or null
  const float* key_norm;        // [head_dim] or null, as query_norm
  const float* rotary;          // [rows, head_dim]
  const Bf16* query_gradient;   // [rows, heads, head_dim]
  const Bf16* keys_gradient;    // [kv_heads, rows, head_dim]
  const Bf16* values_gradient;  // [kv_heads, rows, head_dim]
  Bf16* qkv_gradient;           // [rows, (heads + 2 * kv_heads) * head_dim], overwritten
  float* query_norm_gradient;   // [head_dim], added to; null without norms
  float* key_norm_gradient;     // [head_dim], added to
  int64_t rows;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;  // even, at most kWidestHead
  float epsilon;
};
Status split_heads_backward(const SplitHeadsBackward& args, const Launch& where);

}  // namespace msn::kernels
