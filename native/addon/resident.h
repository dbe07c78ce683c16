// A native object that lives on an engine, and the JavaScript object's hold on it.
#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "addon/event_loop.h"
#include "base/error.h"
#include "runtime/job_queue.h"

namespace msn::addon {

// Only jobs of its queue touch the object. A trainer and the models made from it share a queue: they share a
// backend, which serves one caller at a time.
template <class Object>
struct Resident {
  std::shared_ptr<JobQueue> queue;
  std::unique_ptr<Object> object;
  std::string device_reason;  // what 'auto' chose and why
  int64_t bytes = 0;          // native memory, for the garbage collector's account
};

// JS thread only. The object is freed on its queue's thread, behind the jobs that still use it.
template <class Object>
class Handle {
 public:
  Handle(Napi::Env env, std::shared_ptr<EventLoop> loop, std::shared_ptr<Resident<Object>> resident)
      : env_(env), loop_(std::move(loop)), resident_(std::move(resident)) {
    Napi::MemoryManagement::AdjustExternalMemory(env_, resident_->bytes);
  }
  ~Handle() { release(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // Throws ERR_DISPOSED after release().
  const std::shared_ptr<Resident<Object>>& get() const {
    if (!resident_) throw Error(ErrorCode::kDisposed, "this object was disposed; it cannot be used any more");
    return resident_;
  }
  EventLoop& loop() const { return *loop_; }

  void release() {
    if (!resident_) return;
    Napi::MemoryManagement::AdjustExternalMemory(env_, -resident_->bytes);
    const std::shared_ptr<JobQueue> queue = resident_->queue;
    loop_->run_unwatched(queue, [resident = std::move(resident_)] { resident->object.reset(); });
  }

 private:
  Napi::Env env_;
  std::shared_ptr<EventLoop> loop_;  // outlives the resident
  std::shared_ptr<Resident<Object>> resident_;
};

// The well-known symbol under which `using` looks for dispose(); empty where this Node does not know it.
inline Napi::Value dispose_symbol(Napi::Env env) {
  return env.Global().Get("Symbol").As<Napi::Object>().Get("dispose");
}

}  // namespace msn::addon
