// A forward pass of a small model hands out some 250 jobs of a few microseconds each, so waking a thread
// through the kernel for every job would cost as much as the work. Workers therefore spin for a moment after
// a job, and sleep only when none follows; the caller waits in the same way for the last task of its job.
#include "cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace msn::cpu {
namespace {

using Clock = std::chrono::steady_clock;
// Longer than the gap between two jobs of a forward pass, shorter than anyone would notice as load.
constexpr auto kSpinTime = std::chrono::microseconds(50);
constexpr int64_t kMostTasks = int64_t{1} << 30;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True once ready() holds; false when it did not within the spin time. Where threads outnumber processors,
// spinning would keep the thread that is waited for from running.
template <class Ready>
bool spin_until(bool may_spin, Ready&& ready) {
  if (ready()) return true;
  if (!may_spin) return false;
  const auto end = Clock::now() + kSpinTime;
  do {
    for (int round = 0; round < 64; ++round) {
      if (ready()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return false;
}

}  // namespace

struct ThreadPool::State {
  // The job's number in the high half, its tasks not yet dealt in the low half. A worker that comes late
  // finds another number or no task, so it never touches a job that has ended; one that was dealt a task may
  // read the fields below, for the job cannot end before that task is done.
  alignas(64) std::atomic<uint64_t> undealt{0};
  alignas(64) std::atomic<int64_t> unfinished{0};
  alignas(64) int64_t tasks = 0;
  Function function = nullptr;
  void* context = nullptr;

  bool may_spin = true;
  std::atomic<bool> stop{false};
  std::atomic<int> sleeping_workers{0};
  std::atomic<bool> sleeping_caller{false};
  std::mutex mutex;
  std::condition_variable job_given;
  std::condition_variable job_done;
  std::vector<std::thread> workers;

  static uint64_t number(uint64_t word) { return word >> 32; }
  static int64_t left(uint64_t word) { return static_cast<int64_t>(word & 0xffffffffu); }

  // Takes tasks of the given job until none is left. Returns how many it did.
  int64_t work(uint64_t job, int thread) {
    int64_t done = 0;
    uint64_t word = undealt.load(std::memory_order_acquire);
    while (number(word) == job && left(word) > 0) {
      if (!undealt.compare_exchange_weak(word, word - 1, std::memory_order_acq_rel)) continue;
      function(context, tasks - left(word), thread);
      ++done;
      word = undealt.load(std::memory_order_acquire);
    }
    return done;
  }

  void report(int64_t done) {
    if (done == 0 || unfinished.fetch_sub(done) != done) return;
    if (!sleeping_caller.load()) return;
    const std::lock_guard lock(mutex);
    job_done.notify_one();
  }

  void worker(int thread) {
    uint64_t seen = 0;
    const auto changed = [&] {
      return number(undealt.load()) != seen || stop.load(std::memory_order_relaxed);
    };
    while (true) {
      if (!spin_until(may_spin, changed)) {
        std::unique_lock lock(mutex);
        sleeping_workers.fetch_add(1);
        job_given.wait(lock, changed);
        sleeping_workers.fetch_sub(1);
      }
      if (stop.load()) return;
      seen = number(undealt.load(std::memory_order_acquire));
      report(work(seen, thread));
    }
  }

  void join() {
    {
      const std::lock_guard lock(mutex);
      stop.store(true);
    }
    job_given.notify_all();
    for (std::thread& thread : workers) thread.join();
  }
};

ThreadPool::ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads), state_(std::make_unique<State>()) {
  const unsigned processors = std::thread::hardware_concurrency();
  state_->may_spin = processors == 0 || static_cast<unsigned>(threads_) <= processors;
  try {
    for (int thread = 1; thread < threads_; ++thread)
      state_->workers.emplace_back([this, thread] { state_->worker(thread); });
  } catch (const std::system_error& error) {
    state_->join();
    throw Error(ErrorCode::kOutOfMemory, std::string("the system refused another thread: ") + error.what(),
                "threads");
  }
}

ThreadPool::~ThreadPool() { state_->join(); }

void ThreadPool::run(int64_t tasks, Function function, void* context) {
  State& state = *state_;
  if (tasks > kMostTasks) throw Error(ErrorCode::kInternal, "too many tasks in one job");
  const uint64_t job = (State::number(state.undealt.load(std::memory_order_relaxed)) + 1) & 0xffffffffu;
  state.tasks = tasks;
  state.function = function;
  state.context = context;
  state.unfinished.store(tasks, std::memory_order_relaxed);
  state.undealt.store(job << 32 | static_cast<uint64_t>(tasks));
  if (state.sleeping_workers.load() > 0) {
    const std::lock_guard lock(state.mutex);
    state.job_given.notify_all();
  }
  state.report(state.work(job, 0));
  const auto finished = [&] { return state.unfinished.load() == 0; };
  if (spin_until(state.may_spin, finished)) return;
  std::unique_lock lock(state.mutex);
  state.sleeping_caller.store(true);
  state.job_done.wait(lock, finished);
  state.sleeping_caller.store(false);
}

}  // namespace msn::cpu
