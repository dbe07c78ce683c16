// What a stream has still to do, in order. Where a kernel may start beside those in front of it, it does, and
// as early as it is allowed to: its first blocks run as far as wait_for_inputs() before those have begun.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "kernels/shim/grid.h"

namespace msn::kernels::shim {

// A kernel, or else something to be called.
struct Work {
  std::shared_ptr<const Kernel> kernel;
  std::function<void()> call;
};

class WorkQueue {
 public:
  struct Item {
    Work work;
    EarlyStart start;
  };

  void add(Work work);
  uint64_t enqueued() const { return enqueued_; }  // of all times, as is the number of those taken
  uint64_t taken() const { return enqueued_ - waiting_.size(); }
  Item take();
  // Starts what may run beside the next item, of those that are taken before `end` were enqueued.
  void start_early(uint64_t end, const Settings& settings);

 private:
  std::deque<Item> waiting_;
  uint64_t enqueued_ = 0;
};

}  // namespace msn::kernels::shim
