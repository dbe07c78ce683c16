#include "kernels/shim/grid.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "kernels/shim/sanitizers.h"

namespace msn::kernels::shim {
namespace {

struct RunningGrid {
  const Kernel& kernel;
  const Settings& settings;
  int64_t clusters;
  std::atomic<int64_t> next{0};
};

int64_t count_clusters(const GridShape& grid) {
  return int64_t{grid.blocks.x} * int64_t{grid.blocks.y} * int64_t{grid.blocks.z} / grid.cluster;
}

// The n-th to be run.
void prepare_cluster(Cluster& cluster, const Kernel& kernel, const Settings& settings, int64_t n) {
  const bool last_first = settings.schedule == Schedule::kHighestWarpAhead;
  const int64_t number = last_first ? count_clusters(kernel.grid) - 1 - n : n;
  cluster.prepare(kernel.grid, static_cast<uint64_t>(number), settings, kernel.body);
}

void run_clusters(Cluster& cluster, RunningGrid& grid) {
  cluster.adopt_this_thread();
  for (int64_t n = grid.next++; n < grid.clusters; n = grid.next++) {
    prepare_cluster(cluster, grid.kernel, grid.settings, n);
    cluster.run();
  }
  cluster.see_all_ends();
}

// The helping threads live as long as the process.
class Workers {
 public:
  static Workers& instance() {
    static Workers* const workers = new Workers;
    return *workers;
  }

  EarlyStart start_early(const Kernel& kernel, const Settings& settings) {
    const std::lock_guard one_grid(grids_);
    if (early_clusters_.empty()) early_clusters_.push_back(std::make_unique<Cluster>());
    EarlyStart start{std::move(early_clusters_.front())};
    early_clusters_.pop_front();
    start.cluster->adopt_this_thread();
    prepare_cluster(*start.cluster, kernel, settings, 0);
    start.lets_next_start = start.cluster->run_without_inputs();
    return start;
  }

  void run(RunningGrid& grid, EarlyStart start) {
    const std::lock_guard one_grid(grids_);
    if (start.cluster != nullptr) ++grid.next;
    const int helpers = static_cast<int>(std::min<int64_t>(grid.settings.workers, grid.clusters)) - 1;
    if (helpers > 0) {
      const std::lock_guard lock(mutex_);
      for (; threads_ < helpers; ++threads_) std::thread([this, n = threads_] { help(n); }).detach();
      grid_ = &grid;
      wanted_ = helpers;
      ++generation_;
      wake_.notify_all();
    }
    if (start.cluster != nullptr) {
      start.cluster->run();
      start.cluster->see_all_ends();
      early_clusters_.push_back(std::move(start.cluster));
    }
    run_clusters(own_cluster_, grid);
    if (helpers > 0) {
      std::unique_lock lock(mutex_);
      grid_ = nullptr;
      done_.wait(lock, [this] { return active_ == 0; });
    }
  }

 private:
  void help(int number) {
    Cluster cluster;
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return grid_ != nullptr && generation_ != seen && number < wanted_; });
      seen = generation_;
      RunningGrid& grid = *grid_;
      ++active_;
      lock.unlock();
      run_clusters(cluster, grid);
      lock.lock();
      if (--active_ == 0) done_.notify_all();
    }
  }

  std::mutex grids_;
  Cluster own_cluster_;                                  // of the thread that runs a grid
  std::deque<std::unique_ptr<Cluster>> early_clusters_;  // that nothing runs on

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  int threads_ = 0;
  RunningGrid* grid_ = nullptr;  // null: no helper may join any more
  int wanted_ = 0;
  uint64_t generation_ = 0;
  int active_ = 0;
};

}  // namespace

EarlyStart start_early(const Kernel& kernel, const Settings& settings) {
  // The thread sanitizer knows 8,000 fibers, which the clusters of the workers may need.
  if (under_thread_sanitizer() && kernel.grid.cluster > 1) return {};
  return Workers::instance().start_early(kernel, settings);
}

void run_grid(const Kernel& kernel, const Settings& settings, EarlyStart start) {
  RunningGrid grid{kernel, settings, count_clusters(kernel.grid)};
  Workers::instance().run(grid, std::move(start));
}

}  // namespace msn::kernels::shim
