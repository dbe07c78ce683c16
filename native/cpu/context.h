// What a CPU kernel is given besides its arguments: threads, and scratch memory that grows and is kept.
#pragma once
#include <cstdint>

#include "cpu/thread_pool.h"
#include "ops/tensor.h"

namespace msn::cpu {

class Context {
 public:
  explicit Context(int threads) : pool(threads) {}
  ThreadPool pool;
  // Scratch of at least `bytes` for each thread, 64-byte aligned, contents undefined; thread t's part begins at
  // scratch(bytes) + t * scratch_stride(). Grows geometrically, so that steady use allocates nothing.
  std::byte* scratch(int64_t bytes_per_thread);
  int64_t scratch_stride() const { return stride_; }

 private:
  Buffer scratch_;
  int64_t stride_ = 0;
};

}  // namespace msn::cpu
