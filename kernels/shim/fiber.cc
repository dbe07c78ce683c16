#include "kernels/shim/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

#include "kernels/shim/sanitizers.h"

// Where a new stack begins: calls the function in the second saved register with the first as its argument.
extern "C" void msn_shim_start_stack();
// Tells the address sanitizer that the switch to a new stack is done.
extern "C" [[gnu::visibility("hidden")]] void msn_shim_stack_started() {
  if (__sanitizer_finish_switch_fiber != nullptr) __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
}
#if defined(__x86_64__)
asm(R"(
.text
.globl msn_shim_switch_stack
.hidden msn_shim_switch_stack
.type msn_shim_switch_stack,@function
msn_shim_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size msn_shim_switch_stack,.-msn_shim_switch_stack
.globl msn_shim_start_stack
.hidden msn_shim_start_stack
.type msn_shim_start_stack,@function
msn_shim_start_stack:
  subq $8,%rsp
  call msn_shim_stack_started
  movq %rbx,%rdi
  call *%rbp
.size msn_shim_start_stack,.-msn_shim_start_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl msn_shim_switch_stack
.hidden msn_shim_switch_stack
.type msn_shim_switch_stack,%function
msn_shim_switch_stack:
  sub sp,sp,#160
  stp x19,x20,[sp]
  stp x21,x22,[sp,#16]
  stp x23,x24,[sp,#32]
  stp x25,x26,[sp,#48]
  stp x27,x28,[sp,#64]
  stp x29,x30,[sp,#80]
  stp d8,d9,[sp,#96]
  stp d10,d11,[sp,#112]
  stp d12,d13,[sp,#128]
  stp d14,d15,[sp,#144]
  mov x9,sp
  str x9,[x0]
  mov sp,x1
  ldp x19,x20,[sp]
  ldp x21,x22,[sp,#16]
  ldp x23,x24,[sp,#32]
  ldp x25,x26,[sp,#48]
  ldp x27,x28,[sp,#64]
  ldp x29,x30,[sp,#80]
  ldp d8,d9,[sp,#96]
  ldp d10,d11,[sp,#112]
  ldp d12,d13,[sp,#128]
  ldp d14,d15,[sp,#144]
  add sp,sp,#160
  ret
.size msn_shim_switch_stack,.-msn_shim_switch_stack
.globl msn_shim_start_stack
.hidden msn_shim_start_stack
.type msn_shim_start_stack,%function
msn_shim_start_stack:
  bl msn_shim_stack_started
  mov x0,x19
  blr x20
.size msn_shim_start_stack,.-msn_shim_start_stack
)");
#else
#error "the CUDA shim knows x86-64 and AArch64"
#endif

namespace msn::kernels::shim {
namespace {

constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kPage = 4096;

}  // namespace

Fiber::Fiber() { adopt_this_thread(); }

void Fiber::adopt_this_thread() {
  if (__tsan_get_current_fiber != nullptr) tsan_fiber_ = __tsan_get_current_fiber();
  if (__sanitizer_start_switch_fiber == nullptr) return;  // who else asks for the stack's bounds
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack_, &stack_bytes_);
  pthread_attr_destroy(&attributes);
}

Fiber::Fiber(void (*entry)(void*), void* argument, unsigned number)
    : stack_bytes_(kStackBytes), owned_(true) {
  stack_ =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(stack_, kPage, PROT_NONE);  // an overflow faults instead of overwriting another stack
  char* const top = static_cast<char*>(stack_) + kStackBytes - number * 576 % kPage / 64 * 64;
  void** frame = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
  frame -= 2;  // what is returned to, and nothing above it
  frame[0] = reinterpret_cast<void*>(&msn_shim_start_stack);
  frame[1] = nullptr;
  frame -= 6;
  std::memset(frame, 0, 6 * sizeof *frame);
  frame[4] = argument;                        // rbx
  frame[5] = reinterpret_cast<void*>(entry);  // rbp
#else
  frame -= 20;
  std::memset(frame, 0, 160);
  frame[0] = argument;                                         // x19
  frame[1] = reinterpret_cast<void*>(entry);                   // x20
  frame[11] = reinterpret_cast<void*>(&msn_shim_start_stack);  // x30
#endif
  stack_pointer_ = frame;
  if (__tsan_create_fiber != nullptr) tsan_fiber_ = __tsan_create_fiber(0);
}

Fiber::~Fiber() {
  if (!owned_) return;
  munmap(stack_, stack_bytes_);
  if (__tsan_destroy_fiber != nullptr) __tsan_destroy_fiber(tsan_fiber_);
}

const bool Fiber::kSanitized = __tsan_switch_to_fiber != nullptr || __sanitizer_start_switch_fiber != nullptr;

void Fiber::resume_sanitized(Fiber& from) {
  // 1: switching alone orders nothing.
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(tsan_fiber_, 1);
  if (__sanitizer_start_switch_fiber != nullptr)
    __sanitizer_start_switch_fiber(&from.asan_fake_stack_, stack_, stack_bytes_);
  msn_shim_switch_stack(&from.stack_pointer_, stack_pointer_);
  if (__sanitizer_finish_switch_fiber != nullptr)
    __sanitizer_finish_switch_fiber(from.asan_fake_stack_, nullptr, nullptr);
}

}  // namespace msn::kernels::shim
