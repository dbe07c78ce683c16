#include "backend/host_memory.h"

#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace msn {
namespace {

constexpr std::align_val_t kAlignment{64};

[[noreturn]] void refuse(int64_t bytes) {
  throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes");
}

void free_aligned(void*, void* data, int64_t) { ::operator delete(data, kAlignment); }

Buffer allocate_aligned(int64_t bytes) {
  void* data = ::operator new(static_cast<size_t>(bytes), kAlignment, std::nothrow);
  if (data == nullptr) refuse(bytes);
  std::memset(data, 0, static_cast<size_t>(bytes));
  return Buffer(data, bytes, free_aligned);
}

#ifdef __linux__
constexpr int64_t kPage = 4096;
constexpr int64_t kLargePage = int64_t{2} << 20;
constexpr int64_t kStretch = int64_t{64} << 20;

int64_t whole_pages(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void unmap(void* data, int64_t bytes) { munmap(data, static_cast<size_t>(whole_pages(bytes))); }
void free_pages(void*, void* data, int64_t bytes) { unmap(data, bytes); }

// Fresh pages are zero already, and are not resident before they are touched. Starting on a large-page border
// lets the system use large pages.
std::byte* map(int64_t bytes) {
  const int64_t wanted = whole_pages(bytes);
  const int64_t reserved = wanted + kLargePage;
  void* memory = mmap(nullptr, static_cast<size_t>(reserved), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) refuse(bytes);
  auto* begin = static_cast<std::byte*>(memory);
  const int64_t before = (kLargePage - reinterpret_cast<intptr_t>(begin) % kLargePage) % kLargePage;
  if (before > 0) unmap(begin, before);
  const int64_t behind = reserved - before - wanted;
  if (behind > 0) unmap(begin + before + wanted, behind);
  madvise(begin + before, static_cast<size_t>(wanted), MADV_HUGEPAGE);
  return begin + before;
}
#endif

}  // namespace

Buffer allocate_host_memory(int64_t bytes) {
  if (bytes <= 0) return {};
#ifdef __linux__
  if (bytes >= kLargePage) return Buffer(map(bytes), bytes, free_pages);
#endif
  return allocate_aligned(bytes);
}

#ifdef __linux__
Buffer WeightArena::allocate(int64_t bytes) {
  constexpr int64_t kSmallest = 16 * kPage;  // below, whole pages would waste too much
  if (bytes < kSmallest || bytes > kStretch / 4) return allocate_host_memory(bytes);
  const int64_t taken = whole_pages(bytes);
  if (taken > rest_bytes_) {
    release_rest();
    rest_ = map(kStretch);
    rest_bytes_ = kStretch;
  }
  std::byte* data = rest_;
  rest_ += taken;
  rest_bytes_ -= taken;
  return Buffer(data, bytes, free_pages);
}

void WeightArena::release_rest() {
  if (rest_bytes_ > 0) unmap(rest_, rest_bytes_);
  rest_bytes_ = 0;
}
#else
Buffer WeightArena::allocate(int64_t bytes) { return allocate_host_memory(bytes); }
void WeightArena::release_rest() {}
#endif

}  // namespace msn
