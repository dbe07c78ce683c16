// The blocks of one cluster, mostly a single one, on one thread of the process: each runs as far as it can,
// in turns that the schedule chooses, and when all that are left wait at the cluster's barrier they pass it.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/shim/block.h"

namespace msn::kernels::shim {

class Cluster {
 public:
  // The clusters that follow run on the calling thread.
  void adopt_this_thread() { own_stack_.adopt_this_thread(); }

  // Runs the blocks of cluster `number` of the grid to their end.
  void run(const GridShape& grid, uint64_t number, const Settings& settings,
           const std::function<void()>& body);

  // What the blocks did has happened before what the calling thread does next.
  void see_all_ends();

 private:
  static constexpr size_t kMostBlocks = 8;

  Fiber own_stack_;
  std::array<std::unique_ptr<Block>, kMostBlocks> blocks_;  // made when first needed
};

}  // namespace msn::kernels::shim
