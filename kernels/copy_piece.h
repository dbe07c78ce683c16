// Pieces of 8 bf16 on their way from global to shared memory, whatever their alignment and however few are
// there.
#pragma once
#include "kernels/ptx.h"

namespace msn::kernels {

// `shared`: 16 bytes, aligned. Of the 8 numbers from `global` on the first `count` exist; the others become
// zeros (count <= 0: all of them, and `global` is not read). `aligned`: `global` is aligned to 16 bytes; the
// address of an asynchronous copy must be even where nothing is read. In shared memory after wait_for_copies;
// visible to the block behind a barrier.
__device__ __forceinline__ void copy_piece(void* shared, const Bf16* global, int64_t count, bool aligned) {
  if (aligned && (count <= 0 || count >= 8)) {
    copy_16_async(shared, global, count > 0);
    return;
  }
  uint32_t words[4];
#pragma unroll
  for (int word = 0; word < 4; ++word) {
    const uint32_t low = 2 * word < count ? global[2 * word].bits : 0;
    const uint32_t high = 2 * word + 1 < count ? global[2 * word + 1].bits : 0;
    words[word] = low | high << 16;
  }
  *static_cast<uint4*>(shared) = make_uint4(words[0], words[1], words[2], words[3]);
}

}  // namespace msn::kernels
