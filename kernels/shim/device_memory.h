// The shim's device memory: host memory that knows what it is, starts as NaN and keeps to a budget.
//
// Every allocation is one of the process's own, exactly as long as was asked for, so that the address
// sanitizer sees accesses beyond it and after its release.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>

namespace msn::kernels::shim {

enum class MemoryKind { kDevice, kPinned };

// Not synchronised: the runtime's lock is held.
class DeviceMemory {
 public:
  // Null when the budget does not suffice; pinned memory needs none.
  void* allocate(size_t bytes, MemoryKind kind, int64_t budget);
  // False: not an address that allocate gave for this kind.
  bool release(void* memory, MemoryKind kind);
  // Whether [memory, memory + bytes) lies within one allocation of this kind.
  bool holds(const void* memory, size_t bytes, MemoryKind kind) const;
  int64_t used_bytes() const { return used_bytes_; }

 private:
  struct Allocation {
    size_t bytes;
    MemoryKind kind;
  };
  std::map<uintptr_t, Allocation> allocations_;
  int64_t used_bytes_ = 0;
};

}  // namespace msn::kernels::shim
