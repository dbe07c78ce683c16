// Query, key and value heads from the fused projection: optional query/key norm, rotation of query and key,
// keys and values written as rows of a cache.
#pragma once
#include "ops/tensor.h"

namespace msn {

// qkv columns: query heads, then key heads, then value heads. Head h of a row rotates by halves:
// (a, b) = (x[i], x[i + head_dim/2]) -> (a cos - b sin, b cos + a sin).
struct SplitHeadsForward {
  Tensor qkv;         // activations [rows, (heads + 2 * kv_heads) * head_dim]
  Tensor query_norm;  // f32 [head_dim] or none (Qwen3)
  Tensor key_norm;    // f32 [head_dim] or none
  float epsilon = 0;
  Tensor rotary;     // f32 [rows, head_dim], see RotaryTable
  Tensor first_row;  // i32 [1]: row i goes to cache row first_row + i
  Tensor query;      // activations [rows, heads, head_dim]
  Tensor keys;       // activations [kv_heads, capacity, head_dim]
  Tensor values;     // activations [kv_heads, capacity, head_dim]
};
void check(const SplitHeadsForward& args, Dtype activations = Dtype::kF32);

// The inverse, for training, where first_row = 0 and capacity = rows.
struct SplitHeadsBackward {
  Tensor qkv;  // activations [rows, (heads + 2 * kv_heads) * head_dim], as in the forward pass; none without
               // norms
  Tensor query_norm;  // f32 [head_dim] or none
  Tensor key_norm;    // f32 [head_dim] or none
  float epsilon = 0;
  Tensor rotary;               // f32 [rows, head_dim]
  Tensor query_gradient;       // activations [rows, heads, head_dim]
  Tensor keys_gradient;        // activations [kv_heads, rows, head_dim]
  Tensor values_gradient;      // activations [kv_heads, rows, head_dim]
  Tensor qkv_gradient;         // activations [rows, (heads + 2 * kv_heads) * head_dim], overwritten
  Tensor query_norm_gradient;  // f32 [head_dim], added to; none without query_norm
  Tensor key_norm_gradient;    // f32 [head_dim], added to
};
void check(const SplitHeadsBackward& args, Dtype activations = Dtype::kF32);

}  // namespace msn
