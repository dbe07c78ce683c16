// Host memory as the CPU backend hands it out: zeroed, aligned, on large pages where that helps.
#pragma once
#include <cstddef>

#include "ops/tensor.h"

namespace msn {

// Aligned to 64 bytes and zeroed; throws ERR_OUT_OF_MEMORY.
Buffer allocate_host_memory(int64_t bytes);

// The same for weights. A layer's matrices are mostly smaller than a large page, and on small pages the
// reading of every weight for every token loses time at each page's border; so they are cut from large
// stretches of memory. A buffer may outlive the arena.
class WeightArena {
 public:
  WeightArena() = default;
  ~WeightArena() { release_rest(); }
  WeightArena(const WeightArena&) = delete;
  WeightArena& operator=(const WeightArena&) = delete;
  Buffer allocate(int64_t bytes);

 private:
  void release_rest();
  std::byte* rest_ = nullptr;  // what is left of the latest stretch
  int64_t rest_bytes_ = 0;
};

}  // namespace msn
