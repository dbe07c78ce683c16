#include "kernels/shim/work_queue.h"

#include <algorithm>
#include <utility>

namespace msn::kernels::shim {

void WorkQueue::add(Work work) {
  waiting_.push_back({std::move(work), {}});
  ++enqueued_;
}

WorkQueue::Item WorkQueue::take() {
  Item item = std::move(waiting_.front());
  waiting_.pop_front();
  return item;
}

// A kernel behind a kernel starts beside it. It starts beside the one before that, too, when the one between
// says that the next may start before it has waited itself; and so on.
void WorkQueue::start_early(uint64_t end, const Settings& settings) {
  const size_t count = static_cast<size_t>(end - taken());
  for (size_t i = 1; i < count; ++i) {
    const Item& front = waiting_[i - 1];
    Item& item = waiting_[i];
    if (front.work.kernel == nullptr || item.work.kernel == nullptr) return;
    if (i > 1 && !front.start.lets_next_start) return;
    if (!item.work.kernel->grid.may_start_early) return;
    if (item.start.cluster == nullptr) item.start = shim::start_early(*item.work.kernel, settings);
  }
}

}  // namespace msn::kernels::shim
