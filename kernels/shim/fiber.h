// Stacks that a thread switches between, with the sanitizers told.
#pragma once
#include <cstddef>

namespace msn::kernels::shim {

// Saves what a function call must preserve, stores the stack pointer in *save and goes on from `to`.
extern "C" void msn_shim_switch_stack(void** save, void* to);

class Fiber {
 public:
  // The calling thread's own stack, to switch away from and back to.
  Fiber();
  // A new stack, on which `entry(argument)` runs when it is first switched to; it never returns. `number`
  // staggers the stacks, whose equally aligned ends would meet in the same few cache lines.
  Fiber(void (*entry)(void* argument), void* argument, unsigned number);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Goes on where `this` left off; returns when someone switches to `from`.
  void resume_from(Fiber& from) {
    if (kSanitized) [[unlikely]]
      resume_sanitized(from);
    else
      msn_shim_switch_stack(&from.stack_pointer_, stack_pointer_);
  }

  // This thread's stack may be another than at construction.
  void adopt_this_thread();

 private:
  static const bool kSanitized;
  void resume_sanitized(Fiber& from);

  void* stack_pointer_ = nullptr;
  void* stack_ = nullptr;  // its lowest address
  size_t stack_bytes_ = 0;
  bool owned_ = false;
  void* tsan_fiber_ = nullptr;
  void* asan_fake_stack_ = nullptr;
};

}  // namespace msn::kernels::shim
