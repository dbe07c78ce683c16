// The bridge between native threads and one JavaScript environment.
#include "addon/event_loop.h"

#include <algorithm>

#include "addon/errors.h"

namespace msn::addon {

void Job::emit(Event event) { loop_->post({this, std::move(event)}); }

EventLoop::EventLoop(Napi::Env env) : env_(env) {
  // An unbounded queue: posting never blocks, so waiting for the threads in close() cannot deadlock.
  wake_ = Wake::New(env, "makesomenoise", 0, 1, this);
  wake_.Unref(env);
  // Added after the thread-safe function, so it runs before that is torn down: last in, first out.
  napi_add_env_cleanup_hook(env, &EventLoop::on_cleanup, this);
}

EventLoop::~EventLoop() {
  if (!closed_) napi_remove_env_cleanup_hook(env_, &EventLoop::on_cleanup, this);
}

void EventLoop::start(std::unique_ptr<Job> job, std::shared_ptr<JobQueue> queue) {
  Job* const raw = job.get();
  raw->loop_ = this;
  raw->queue_ = std::move(queue);
  jobs_.emplace(raw, std::move(job));
  if (jobs_.size() == 1) wake_.Ref(env_);
  {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  raw->queue_->push([this, raw] {
    try {
      raw->cancel_->throw_if_cancelled();
      raw->work_(*raw);
    } catch (...) {
      raw->failure_ = std::current_exception();
    }
    post({raw, nullptr});
  });
}

void EventLoop::run_unwatched(std::shared_ptr<JobQueue> queue, std::function<void()> work) {
  if (closed_) {  // written on this thread only
    work();
    return;
  }
  auto job = std::make_unique<Job>();
  job->work_ = [work = std::move(work)](Job&) { work(); };
  job->cancel_ = std::make_shared<CancelToken>();
  start(std::move(job), std::move(queue));
}

bool EventLoop::busy(const JobQueue& queue) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&queue](const auto& entry) { return entry.first->queue_.get() == &queue; });
}

void EventLoop::post(Posted posted) {
  const std::lock_guard lock(mutex_);
  const bool last = !posted.event;
  if (!closed_) {
    posted_.push_back(std::move(posted));
    if (!awake_) awake_ = wake_.NonBlockingCall() == napi_ok;
  }
  // Under the lock: once running_ is 0 and the lock is free, this object may be gone.
  if (last && --running_ == 0) ended_.notify_all();
}

void EventLoop::on_wake(Napi::Env env, Napi::Function, EventLoop* loop, void*) {
  if (static_cast<napi_env>(env) != nullptr) loop->drain(env);
}

void EventLoop::drain(Napi::Env env) {
  std::vector<Posted> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(posted_);
    awake_ = false;
  }
  for (const Posted& posted : batch) {
    const Napi::HandleScope scope(env);
    try {
      if (posted.event)
        deliver(env, posted);
      else
        finish(env, posted.job);
    } catch (const Napi::Error&) {
      // Only an environment that is being terminated refuses to settle a promise: nobody is left to be told.
    }
  }
}

void EventLoop::deliver(Napi::Env env, const Posted& posted) {
  Job& job = *posted.job;
  if (job.callback_error_) return;
  try {
    posted.event(env, job.callbacks_);
  } catch (const Napi::Error& error) {
    job.callback_error_ = error;
    job.cancel_->cancel();
  }
}

void EventLoop::finish(Napi::Env env, Job* job) {
  const auto node = jobs_.extract(job);  // destroyed at the end of this function, on this thread
  if (jobs_.empty()) wake_.Unref(env_);
  if (!job->deferred_) return;
  if (job->callback_error_) {
    job->deferred_->Reject(job->callback_error_->Value());
    return;
  }
  if (job->failure_) {
    job->deferred_->Reject(js_error(env, job->failure_));
    return;
  }
  Napi::Value result;
  try {
    result = job->result_(env);
  } catch (...) {
    job->deferred_->Reject(js_error(env, std::current_exception()));
    return;
  }
  job->deferred_->Resolve(result);
}

void EventLoop::close() {
  for (const auto& [job, owner] : jobs_) job->cancel_->cancel();
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    ended_.wait(lock, [this] { return running_ == 0; });
    posted_.clear();
  }
  jobs_.clear();
}

}  // namespace msn::addon
