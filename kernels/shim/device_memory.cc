#include "kernels/shim/device_memory.h"

#include <cstdlib>
#include <cstring>

namespace msn::kernels::shim {

void* DeviceMemory::allocate(size_t bytes, MemoryKind kind, int64_t budget) {
  const int64_t counted = kind == MemoryKind::kDevice ? static_cast<int64_t>(bytes) : 0;
  if (counted > budget - used_bytes_) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) return nullptr;
  std::memset(memory, 0xFF, bytes);
  allocations_[reinterpret_cast<uintptr_t>(memory)] = {bytes, kind};
  used_bytes_ += counted;
  return memory;
}

bool DeviceMemory::release(void* memory, MemoryKind kind) {
  const auto found = allocations_.find(reinterpret_cast<uintptr_t>(memory));
  if (found == allocations_.end() || found->second.kind != kind) return false;
  std::memset(memory, 0xFF, found->second.bytes);
  if (kind == MemoryKind::kDevice) used_bytes_ -= static_cast<int64_t>(found->second.bytes);
  allocations_.erase(found);
  std::free(memory);
  return true;
}

bool DeviceMemory::holds(const void* memory, size_t bytes, MemoryKind kind) const {
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return false;
  const auto& [begin, allocation] = *--after;
  return allocation.kind == kind && address + bytes <= begin + allocation.bytes;
}

}  // namespace msn::kernels::shim
