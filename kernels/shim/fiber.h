// Stacks that a thread switches between, with the sanitizers told.
#pragma once
#include <cstddef>

namespace msn::kernels::shim {

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
  void resume_from(Fiber& from);

  // This thread's stack may be another than at construction.
  void adopt_this_thread();

 private:
  static void start();

  void* stack_pointer_ = nullptr;
  void* stack_ = nullptr;  // its lowest address
  size_t stack_bytes_ = 0;
  bool owned_ = false;
  void* tsan_fiber_ = nullptr;
  void* asan_fake_stack_ = nullptr;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace msn::kernels::shim
