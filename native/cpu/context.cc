// Scratch memory of the CPU kernels.
#include "cpu/context.h"

#include <new>

namespace msn::cpu {
namespace {

constexpr std::align_val_t kAlignment{64};

void free_scratch(void*, void* data, int64_t) { ::operator delete(data, kAlignment); }

}  // namespace

std::byte* Context::scratch(int64_t bytes_per_thread) {
  if (bytes_per_thread > stride_) {
    // Half as much again, so that a context that grows token by token allocates a few times only.
    const int64_t stride = (bytes_per_thread + bytes_per_thread / 2 + 4095) / 4096 * 4096;
    const int64_t bytes = stride * pool.threads();
    scratch_ = {};
    stride_ = 0;
    void* data = ::operator new(static_cast<size_t>(bytes), kAlignment, std::nothrow);
    if (data == nullptr)
      throw Error(ErrorCode::kOutOfMemory,
                  "cannot allocate " + std::to_string(bytes) + " bytes of scratch memory");
    scratch_ = Buffer(data, bytes, free_scratch);
    stride_ = stride;
  }
  return static_cast<std::byte*>(scratch_.data());
}

}  // namespace msn::cpu
