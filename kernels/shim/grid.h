// Runs the blocks of a grid on a few threads.
#pragma once
#include <functional>
#include <memory>

#include "kernels/shim/cluster.h"
#include "kernels/shim/settings.h"

namespace msn::kernels::shim {

struct Kernel {
  GridShape grid;
  std::function<void()> body;  // of every thread
};

// The first of a grid's clusters, as far as it came before what is in front of the grid was done.
struct EarlyStart {
  std::unique_ptr<Cluster> cluster;  // null: nothing was started
  bool lets_next_start = false;      // nor does the next grid wait for what is in front of this one
};
EarlyStart start_early(const Kernel& kernel, const Settings& settings);

// Returns when all blocks have ended. Grids run one at a time, each on the thread that started it early.
void run_grid(const Kernel& kernel, const Settings& settings, EarlyStart start);

}  // namespace msn::kernels::shim
