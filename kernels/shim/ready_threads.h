// The threads of a block that could go on, and the schedule that picks the next.
#pragma once
#include <bit>
#include <cstdint>

#include "kernels/shim/settings.h"

namespace msn::kernels::shim {

constexpr unsigned kMaximalThreads = 1024;
constexpr unsigned kLanes = 32;
constexpr unsigned kMaximalWarps = kMaximalThreads / kLanes;

class ReadyThreads {
 public:
  static constexpr int kNone = -1;

  void reset(Schedule schedule, uint64_t seed) {
    schedule_ = schedule;
    random_ = seed | 1;
    head_ = tail_ = 0;
    warps_ = 0;
    favourite_ = 0;
  }
  // `lanes` of a warp, none of which is ready already.
  void add(unsigned warp, uint32_t lanes) {
    if (lanes == 0) return;
    if (schedule_ == Schedule::kFirstInFirstOut) {
      queue_[tail_++ % kMaximalThreads] = {warp, lanes};
    } else {
      lanes_[warp] = (warps_ >> warp & 1) != 0 ? lanes_[warp] | lanes : lanes;
      warps_ |= 1u << warp;
    }
  }
  int take() {
    if (schedule_ == Schedule::kFirstInFirstOut) {
      if (head_ == tail_) return kNone;
      Lanes& first = queue_[head_ % kMaximalThreads];
      const unsigned thread = first.warp * kLanes + static_cast<unsigned>(std::countr_zero(first.lanes));
      first.lanes &= first.lanes - 1;
      if (first.lanes == 0) ++head_;
      return static_cast<int>(thread);
    }
    if (warps_ == 0) return kNone;
    const unsigned warp = pick_warp();
    const unsigned lane = pick_lane(lanes_[warp]);
    lanes_[warp] &= ~(1u << lane);
    if (lanes_[warp] == 0) warps_ &= ~(1u << warp);
    return static_cast<int>(warp * kLanes + lane);
  }

 private:
  struct Lanes {
    unsigned warp;
    uint32_t lanes;
  };

  static unsigned lowest(uint32_t bits) { return static_cast<unsigned>(std::countr_zero(bits)); }
  static unsigned highest(uint32_t bits) { return 31 - static_cast<unsigned>(std::countl_zero(bits)); }
  unsigned any(uint32_t bits) {
    const unsigned from = next_random() % 32;
    return (lowest(std::rotr(bits, static_cast<int>(from))) + from) % 32;
  }
  unsigned pick_warp() {
    if (schedule_ == Schedule::kLowestWarpAhead) return lowest(warps_);
    if (schedule_ == Schedule::kHighestWarpAhead) return highest(warps_);
    // Stays with a warp for a while, so that it may get far ahead of the others.
    if ((warps_ >> favourite_ & 1) == 0 || next_random() % 64 == 0) favourite_ = any(warps_);
    return favourite_;
  }
  unsigned pick_lane(uint32_t lanes) {
    if (schedule_ == Schedule::kHighestWarpAhead) return highest(lanes);
    return schedule_ == Schedule::kRandom ? any(lanes) : lowest(lanes);
  }
  unsigned next_random() {  // xorshift64
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<unsigned>(random_ >> 11);
  }

  Schedule schedule_ = Schedule::kFirstInFirstOut;
  Lanes queue_[kMaximalThreads];  // first in, first out: each entry holds a thread, each thread is in one
  unsigned head_ = 0;
  unsigned tail_ = 0;
  uint32_t lanes_[kMaximalWarps];  // the other schedules; valid where the warp's bit is set
  uint32_t warps_ = 0;
  unsigned favourite_ = 0;
  uint64_t random_ = 1;
};

}  // namespace msn::kernels::shim
