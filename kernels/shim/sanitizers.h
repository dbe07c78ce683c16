// The sanitizers' functions, null in builds without them.
#pragma once
#include <cstddef>

extern "C" {
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* stack, size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** stack, size_t* bytes);
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* address, size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* address, size_t bytes);
}

namespace msn::kernels::shim {

inline bool under_thread_sanitizer() { return __tsan_create_fiber != nullptr; }
// What happened before a release of `object` happened before what follows its acquire.
inline void acquire(void* object) {
  if (__tsan_acquire != nullptr) __tsan_acquire(object);
}
inline void release(void* object) {
  if (__tsan_release != nullptr) __tsan_release(object);
}

}  // namespace msn::kernels::shim
