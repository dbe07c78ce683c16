// Keeps the cache rows of an accepted path: row sources[j] moves to row first_row + j, as bits.
#pragma once
#include "kernels/bf16.h"
#include "kernels/launch.h"

namespace msn::kernels {

struct KvCompact {
  Bf16* cache;               // [blocks, capacity, head_dim]: the keys and values of all layers and heads
  const int32_t* sources;    // [rows], ascending, sources[j] >= first_row + j
  const int32_t* first_row;  // [1]
  const int32_t* count;      // [1] or null: how many of the sources are meant, from the first on
  int64_t blocks;
  int64_t capacity;
  int64_t head_dim;
  int64_t rows;
};
Status kv_compact(const KvCompact& args, const Launch& where);

}  // namespace msn::kernels
