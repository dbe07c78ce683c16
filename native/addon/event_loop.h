// The one bridge between native threads and a JavaScript environment (the main thread or a worker).
//
// A job runs on its engine's JobQueue; what it reports comes back to the JS thread as events, in order, the
// last one settling its promise. The records of running jobs, with everything that a job captured, live and
// die on the JS thread: so references to JavaScript values are safe in them, and an engine's thread is never
// joined by itself. Not Napi::AsyncWorker: Node waits for all queued libuv work before it runs cleanup hooks,
// so that terminating a worker would last as long as the job.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "runtime/job_queue.h"

namespace msn::addon {

class EventLoop;

// What a job that returns nothing returns.
struct Nothing {};

class Job {
 public:
  using Event = std::function<void(Napi::Env, const std::vector<Napi::FunctionReference>& callbacks)>;

  // From the job's own thread: `event` runs on the JS thread, after earlier events and before the promise
  // settles. An exception in it stops the job and becomes the rejection.
  void emit(Event event);
  const CancelToken& cancel() const { return *cancel_; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  std::shared_ptr<JobQueue> queue_;
  std::shared_ptr<CancelToken> cancel_;
  std::vector<Napi::FunctionReference> callbacks_;
  std::function<void(Job&)> work_;
  std::function<Napi::Value(Napi::Env)> result_;
  std::optional<Napi::Promise::Deferred> deferred_;  // none: nobody waits for it
  std::exception_ptr failure_;                       // thrown by work_
  std::optional<Napi::Error> callback_error_;        // thrown by one of the callbacks
};

class EventLoop {
 public:
  explicit EventLoop(Napi::Env env);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // JS thread. Runs work(Job&) -> Result on the queue's thread, then convert(env, Result&) -> Napi::Value on
  // the JS thread. Until then the process stays alive. When the token is raised before the job begins, it
  // does not.
  template <class Work, class Convert>
  Napi::Promise run(std::shared_ptr<JobQueue> queue, std::shared_ptr<CancelToken> cancel, Work work,
                    Convert convert, const std::vector<Napi::Function>& callbacks = {}) {
    using Result = decltype(work(std::declval<Job&>()));
    auto job = std::make_unique<Job>();
    job->deferred_.emplace(Napi::Promise::Deferred::New(env_));
    job->callbacks_.reserve(callbacks.size());
    for (const Napi::Function& callback : callbacks) job->callbacks_.push_back(Napi::Persistent(callback));
    auto result = std::make_shared<std::optional<Result>>();
    job->work_ = [result, work = std::move(work)](Job& self) mutable { result->emplace(work(self)); };
    job->result_ = [result, convert = std::move(convert)](Napi::Env env) { return convert(env, **result); };
    job->cancel_ = std::move(cancel);
    const Napi::Promise promise = job->deferred_->Promise();
    start(std::move(job), std::move(queue));
    return promise;
  }

  // JS thread. Runs `work` behind the queue's other jobs and tells nobody; at once when the environment is
  // closing.
  void run_unwatched(std::shared_ptr<JobQueue> queue, std::function<void()> work);

  // JS thread. Whether a job of this queue has been started and not settled.
  bool busy(const JobQueue& queue) const;

 private:
  friend class Job;
  struct Posted {
    Job* job;
    Job::Event event;  // empty: the job has ended
  };

  void start(std::unique_ptr<Job> job, std::shared_ptr<JobQueue> queue);
  void post(Posted posted);
  void drain(Napi::Env env);
  static void deliver(Napi::Env env, const Posted& posted);
  void finish(Napi::Env env, Job* job);
  void close();

  static void on_wake(Napi::Env env, Napi::Function, EventLoop* loop, void*);
  static void on_cleanup(void* loop) { static_cast<EventLoop*>(loop)->close(); }
  using Wake = Napi::TypedThreadSafeFunction<EventLoop, void, &EventLoop::on_wake>;

  Napi::Env env_;
  Wake wake_;
  std::unordered_map<Job*, std::unique_ptr<Job>> jobs_;  // JS thread only

  std::mutex mutex_;  // guards what follows
  std::condition_variable ended_;
  std::vector<Posted> posted_;
  size_t running_ = 0;  // jobs whose thread may still touch their record
  bool awake_ = false;  // a wake-up is on its way, so another is not needed
  bool closed_ = false;
};

}  // namespace msn::addon
