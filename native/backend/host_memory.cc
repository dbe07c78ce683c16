#include "backend/host_memory.h"

#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace msn {
namespace {

constexpr std::align_val_t kAlignment{64};

void free_aligned(void* data, int64_t) { ::operator delete(data, kAlignment); }

void* allocate_aligned(int64_t bytes) {
  void* data = ::operator new(static_cast<size_t>(bytes), kAlignment, std::nothrow);
  if (data != nullptr) std::memset(data, 0, static_cast<size_t>(bytes));
  return data;
}

#ifdef __linux__
constexpr int64_t kLargePage = int64_t{2} << 20;

void free_mapped(void* data, int64_t bytes) { munmap(data, static_cast<size_t>(bytes)); }

// Fresh pages are zero already, and are not resident before they are touched. Starting on a large-page border
// lets the system use large pages, which matters when every weight is read once per token.
void* allocate_mapped(int64_t bytes) {
  const int64_t reserved = bytes + kLargePage;
  void* memory = mmap(nullptr, static_cast<size_t>(reserved), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t aligned = (begin + kLargePage - 1) / kLargePage * kLargePage;
  const uintptr_t end = (aligned + static_cast<uintptr_t>(bytes) + 4095) / 4096 * 4096;
  if (aligned > begin) munmap(memory, aligned - begin);
  if (begin + static_cast<uintptr_t>(reserved) > end)
    munmap(reinterpret_cast<void*>(end), begin + static_cast<uintptr_t>(reserved) - end);
  void* data = reinterpret_cast<void*>(aligned);
  madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  return data;
}
#endif

}  // namespace

Buffer allocate_host_memory(int64_t bytes) {
  if (bytes <= 0) return {};
  void* data = nullptr;
  Buffer::Deleter deleter = free_aligned;
#ifdef __linux__
  if (bytes >= kLargePage) {
    data = allocate_mapped(bytes);
    deleter = free_mapped;
  } else {
    data = allocate_aligned(bytes);
  }
#else
  data = allocate_aligned(bytes);
#endif
  if (data == nullptr)
    throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes");
  return Buffer(data, bytes, deleter);
}

}  // namespace msn
