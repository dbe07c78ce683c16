// A flag that another thread raises to stop a running job at its next step.
#pragma once
#include <atomic>

#include "base/error.h"

namespace msn {

class CancelToken {
 public:
  void cancel() { flag_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return flag_.load(std::memory_order_relaxed); }
  void throw_if_cancelled() const {
    if (cancelled()) throw Error(ErrorCode::kAborted, "the operation was aborted");
  }

 private:
  std::atomic<bool> flag_{false};
};

}  // namespace msn
