// A pool of threads made once per CPU backend; the calling thread works too.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace msn::cpu {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // in all, the caller included; at least 1
  ~ThreadPool();
  int threads() const { return threads_; }

  // Calls body(task, thread) for task = 0 .. tasks - 1, each once, and returns when all are done. Tasks are
  // dealt out in ascending order to whoever is free, so a result must not depend on who ran it. body must not
  // throw. One caller at a time; not reentrant.
  template <class Body>
  void parallel_for(int64_t tasks, Body&& body) {
    if (threads_ == 1 || tasks <= 1) {
      for (int64_t task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    run(
        tasks, [](void* context, int64_t task, int thread) { (*static_cast<Plain*>(context))(task, thread); },
        const_cast<std::remove_const_t<Plain>*>(&body));
  }

 private:
  using Function = void (*)(void* context, int64_t task, int thread);
  void run(int64_t tasks, Function function, void* context);
  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

}  // namespace msn::cpu
