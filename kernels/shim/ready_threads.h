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
  bool empty() const { return schedule_ == Schedule::kFirstInFirstOut ? head_ == tail_ : warps_ == 0; }
  void add(unsigned thread) {
    if (schedule_ == Schedule::kFirstInFirstOut)
      queue_[tail_++ % kMaximalThreads] = static_cast<uint16_t>(thread);
    else
      add_lanes(thread / kLanes, 1u << (thread % kLanes));
  }
  void add_warp(unsigned warp, uint32_t lanes) {
    if (schedule_ != Schedule::kFirstInFirstOut) return add_lanes(warp, lanes);
    for (; lanes != 0; lanes &= lanes - 1) add(warp * kLanes + std::countr_zero(lanes));
  }
  int take() {
    if (empty()) return kNone;
    if (schedule_ == Schedule::kFirstInFirstOut) return queue_[head_++ % kMaximalThreads];
    const unsigned warp = pick_warp();
    const unsigned lane = pick_lane(lanes_[warp]);
    lanes_[warp] &= ~(1u << lane);
    if (lanes_[warp] == 0) warps_ &= ~(1u << warp);
    return static_cast<int>(warp * kLanes + lane);
  }

 private:
  void add_lanes(unsigned warp, uint32_t lanes) {
    if (lanes == 0) return;
    lanes_[warp] = (warps_ >> warp & 1) != 0 ? lanes_[warp] | lanes : lanes;
    warps_ |= 1u << warp;
  }
  unsigned pick_warp() {
    if (schedule_ == Schedule::kLowestWarpAhead) return std::countr_zero(warps_);
    if (schedule_ == Schedule::kHighestWarpAhead) return 31 - std::countl_zero(warps_);
    // Stays with a warp for a while, so that it may get far ahead of the others.
    if ((warps_ >> favourite_ & 1) == 0 || next_random() % 64 == 0)
      favourite_ = nth_bit(warps_, next_random() % std::popcount(warps_));
    return favourite_;
  }
  unsigned pick_lane(uint32_t lanes) {
    if (schedule_ == Schedule::kHighestWarpAhead) return 31 - std::countl_zero(lanes);
    if (schedule_ == Schedule::kRandom) return nth_bit(lanes, next_random() % std::popcount(lanes));
    return std::countr_zero(lanes);
  }
  static unsigned nth_bit(uint32_t bits, unsigned n) {
    while (n-- > 0) bits &= bits - 1;
    return std::countr_zero(bits);
  }
  unsigned next_random() {  // xorshift64
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<unsigned>(random_ >> 11);
  }

  Schedule schedule_ = Schedule::kFirstInFirstOut;
  uint16_t queue_[kMaximalThreads];  // first in, first out; each thread at most once
  unsigned head_ = 0;
  unsigned tail_ = 0;
  uint32_t lanes_[kMaximalWarps];  // the other schedules; valid where the warp's bit is set
  uint32_t warps_ = 0;
  unsigned favourite_ = 0;
  uint64_t random_ = 1;
};

}  // namespace msn::kernels::shim
