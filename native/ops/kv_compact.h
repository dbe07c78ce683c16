// Keeps the cache rows of an accepted path: row sources[j] moves to row first_row + j, as bits.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct KvCompact {
  Tensor keys;       // [kv_heads, capacity, head_dim]
  Tensor values;     // [kv_heads, capacity, head_dim]
  Tensor sources;    // i32 [rows], ascending, sources[j] >= first_row + j
  Tensor first_row;  // i32 [1]
};
void check(const KvCompact& args);

}  // namespace msn
