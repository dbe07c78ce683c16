// The blocks of one cluster, mostly a single one, on one thread of the process: each runs as far as it can,
// in turns that the schedule chooses, and when all that are left wait at the cluster's barrier they pass it.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>

#include "kernels/shim/block.h"

namespace msn::kernels::shim {

class Cluster {
 public:
  // The clusters that follow run on the calling thread.
  void adopt_this_thread() { own_stack_.adopt_this_thread(); }

  // The blocks become those of cluster `number` of the grid. `body` lives until they have ended.
  void prepare(const GridShape& grid, uint64_t number, const Settings& settings,
               const std::function<void()>& body);
  // Runs them as far as they come without their inputs; false: the grid behind theirs may not start yet.
  bool run_without_inputs();
  // Runs them to their end.
  void run();

  // What the blocks did has happened before what the calling thread does next.
  void see_all_ends();

 private:
  static constexpr size_t kMostBlocks = 8;

  // One round: each block that is left runs as far as it can.
  void let_all_run();

  Fiber own_stack_;
  std::array<std::unique_ptr<Block>, kMostBlocks> blocks_;  // made when first needed
  Block::Cluster cluster_;                                  // those that run
  Schedule schedule_ = Schedule::kFirstInFirstOut;
  std::minstd_rand random_;
};

}  // namespace msn::kernels::shim
