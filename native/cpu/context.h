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

  // pool.parallel_for, but on the calling thread alone where `work`, about the number of product-sums in all,
  // is done sooner than other threads would take it up.
  template <class Body>
  void parallel_for(int64_t tasks, int64_t work, Body&& body) {
    if (work < kWorthSharing) {
      for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    } else {
      pool.parallel_for(tasks, body);
    }
  }

  // Scratch of at least `bytes` for each thread, 64-byte aligned, contents undefined; thread t's part begins
  // at scratch(bytes) + t * scratch_stride(). Grows geometrically, so that steady use allocates nothing.
  std::byte* scratch(int64_t bytes_per_thread);
  int64_t scratch_stride() const { return stride_; }

 private:
  static constexpr int64_t kWorthSharing = 32768;
  Buffer scratch_;
  int64_t stride_ = 0;
};

}  // namespace msn::cpu
