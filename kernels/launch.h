// What a kernel's launcher is given beside its arguments. Plain types, for both sides of the module's border.
#pragma once
#include <cstdint>

namespace msn::kernels {

// A cudaError_t; 0: fine. A launcher returns what the launch returned and never synchronises.
using Status = int;
// A cudaStream_t.
using Stream = void*;

struct DeviceFacts {
  int multiprocessors = 1;
  int major = 8;  // compute capability
  int minor = 0;
  int shared_bytes_per_block = 49152;  // the most a block may have after opting in
  bool dependent_launch = false;       // a kernel may start while the one before it ends (9.0 and up)
  // How many clusters of 1, 2, 4 and 8 blocks run at the same time when a block fills a multiprocessor; zeros
  // where there are no clusters (before 9.0).
  int clusters[4] = {};
};

// Scratch memory belongs to one stream and holds what the launcher before left in it; the tickets are zero
// before and after every launch. A launcher cuts its work into pieces that fit.
struct Launch {
  Stream stream = nullptr;
  const DeviceFacts* device = nullptr;
  void* scratch = nullptr;  // device memory, 256-byte aligned, at an address that never changes
  int64_t scratch_bytes = 0;
  uint32_t* tickets = nullptr;  // [kTickets] device memory, zero between launches
};
constexpr int64_t kTickets = 65536;

}  // namespace msn::kernels
