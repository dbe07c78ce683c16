// Keeps the cache rows of an accepted path: row sources[j] moves to row first_row + j, as bits.
#pragma once
#include "ops/tensor.h"

namespace msn {

struct KvCompact {
  Tensor cache;       // activations [blocks, capacity, head_dim]: the keys and values of all layers and heads
  Tensor sources;     // i32 [rows], ascending, sources[j] >= first_row + j
  Tensor first_row;   // i32 [1]
  Tensor count = {};  // i32 [1] or none: how many of the sources are meant, from the first on
};
void check(const KvCompact& args);

}  // namespace msn
