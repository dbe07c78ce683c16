#include "kernels/shim/grid.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "kernels/shim/cluster.h"

namespace msn::kernels::shim {
namespace {

struct RunningGrid {
  const GridShape& shape;
  const Settings& settings;
  const std::function<void()>& body;
  int64_t clusters;
  std::atomic<int64_t> next{0};
};

void run_clusters(Cluster& cluster, RunningGrid& grid) {
  cluster.adopt_this_thread();
  for (int64_t n = grid.next++; n < grid.clusters; n = grid.next++) {
    const int64_t number = grid.settings.schedule == Schedule::kHighestWarpAhead ? grid.clusters - 1 - n : n;
    cluster.run(grid.shape, static_cast<uint64_t>(number), grid.settings, grid.body);
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

  void run(RunningGrid& grid) {
    const std::lock_guard one_grid(grids_);
    const int helpers = static_cast<int>(std::min<int64_t>(grid.settings.workers, grid.clusters)) - 1;
    if (helpers > 0) {
      const std::lock_guard lock(mutex_);
      for (; threads_ < helpers; ++threads_) std::thread([this, n = threads_] { help(n); }).detach();
      grid_ = &grid;
      wanted_ = helpers;
      ++generation_;
      wake_.notify_all();
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
  Cluster own_cluster_;  // of the thread that runs a grid

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

void run_grid(const GridShape& shape, const Settings& settings, const std::function<void()>& body) {
  const int64_t blocks = int64_t{shape.blocks.x} * int64_t{shape.blocks.y} * int64_t{shape.blocks.z};
  RunningGrid grid{shape, settings, body, blocks / shape.cluster};
  Workers::instance().run(grid);
}

}  // namespace msn::kernels::shim
