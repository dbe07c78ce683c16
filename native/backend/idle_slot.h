// Device memory that is kept for its next use, as long as nobody needs it more.
#pragma once
#include <memory>
#include <mutex>
#include <utility>

namespace msn {

// Nothing may be under way in its memory while it is idle: it is destroyed on any thread.
class IdleObject {
 public:
  virtual ~IdleObject() = default;
};

// Holds at most one object. Backend::make_idle_slot() gives slots that the device empties, on whatever thread
// asks it for memory that it does not have.
class IdleSlot {
 public:
  std::unique_ptr<IdleObject> take() {
    const std::lock_guard lock(mutex_);
    return std::move(object_);
  }
  // Destroys what was there. Whoever sees the call return sees the destruction done, by another thread, too.
  void put(std::unique_ptr<IdleObject> object) {
    const std::lock_guard lock(mutex_);
    object_ = std::move(object);
  }
  // Whether there was anything to destroy.
  bool give_up() {
    const std::lock_guard lock(mutex_);
    return std::exchange(object_, nullptr) != nullptr;
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<IdleObject> object_;
};

}  // namespace msn
