// One worker thread for one engine: its jobs run one after another, in the order in which they came.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace msn {

class JobQueue {
 public:
  JobQueue();
  // Runs what is queued, then ends the thread. Must not be called from a job.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Any thread. A job must not throw; it is destroyed on the worker thread right after it ran.
  void push(std::function<void()> job);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::thread worker_;  // last: it uses everything above
};

}  // namespace msn
