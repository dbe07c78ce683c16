// A block of threads, each on a fiber: barriers, warp collectives, asynchronous copies, and the diagnosis of
// what can never end.
//
// A thread that never waits runs on the stack of the one before it, so that kernels without barriers cost one
// call a thread; the thread sanitizer tells threads apart by their fibers and gets one for each.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/shim/execution.h"
#include "kernels/shim/fiber.h"
#include "kernels/shim/ready_threads.h"
#include "kernels/shim/settings.h"

namespace msn::kernels::shim {

class Block {
 public:
  using Cluster = std::span<const std::unique_ptr<Block>>;

  // A block runs on the thread that `own_stack` is of.
  explicit Block(Fiber& own_stack);
  ~Block();

  // Becomes the block `index`, which is block `rank` of `cluster`. Its inputs are not there yet.
  void prepare(const GridShape& grid, uint3 index, Cluster cluster, unsigned rank, const Settings& settings,
               const std::function<void()>& body);
  // Its threads pass wait_for_inputs().
  void give_inputs();
  // Runs until no thread can go on: when the inputs are there, all have ended or wait at the cluster's
  // barrier.
  void run();
  // All threads of all blocks of the cluster have come to its barrier.
  void pass_cluster_barrier();
  bool has_ended() const { return alive_ == 0; }
  // A thread said so before it waited for its inputs.
  bool lets_next_start_early() const { return lets_next_start_early_; }

  // What the blocks did has happened before what the calling thread does next.
  void see_all_ends();

  // For the running thread; see execution.h.
  void wait_for_inputs();
  void let_next_start() { lets_next_start_early_ |= !running_->waited_for_inputs; }
  int synchronize(int predicate, Vote vote);
  void synchronize_cluster();
  const void* of_cluster(const void* own, unsigned rank) const;
  void warp_collective(uint32_t mask, WarpFunction function, void* slot, bool orders_memory);
  void yield();
  void fence();
  void before_atomic(void* address);
  void after_atomic(void* address);
  void copy_async(void* shared, const void* global, int bytes, int wanted_bytes);
  void commit_copies() { ++running_->copy_group; }
  void wait_for_copies(int pending_groups);
  int describe_running(char* text, size_t bytes) const;

 private:
  struct AsyncCopy {
    void* shared;
    const void* global;
    int bytes;
    int wanted_bytes;
    int group;
  };
  struct alignas(64) Thread {
    ThreadContext context;
    Fiber* fiber;  // null until it starts
    std::vector<AsyncCopy> copies;
    int copy_group;
    bool waited_for_inputs;
    bool fenced;
  };
  struct Collective {
    uint32_t mask;
    uint32_t arrived;
    WarpFunction function;
  };
  struct Warp {
    void* slots[kLanes];
    Collective pending[kLanes];  // with masks that do not meet
    unsigned pending_count;
    uint32_t at_barrier;          // lanes that wait at the block's barrier
    uint32_t at_cluster_barrier;  // and at the cluster's
    uint32_t at_inputs;           // and for their inputs
  };

  static void run_threads(void* block);
  void prepare_shared_memory(size_t bytes);
  Thread* take_next();
  Fiber& fiber_of(Thread& next);
  void add_fiber();
  void switch_to_next();  // the running thread waits
  void finish_running();
  void release_barrier();
  void check_shared_memory() const;
  void land(const AsyncCopy& copy);
  [[noreturn]] void report_deadlock();

  Fiber& own_stack_;
  std::vector<Thread> threads_;
  std::vector<Fiber*> fibers_;       // all there are
  std::vector<Fiber*> free_fibers_;  // without a thread
  Thread* running_ = nullptr;
  ReadyThreads ready_;
  Warp warps_[kMaximalWarps];
  unsigned thread_count_ = 0;
  unsigned warp_count_ = 0;
  unsigned alive_ = 0;
  unsigned at_barrier_ = 0;
  unsigned barrier_generation_ = 0;
  int votes_[2][3] = {};  // of an even and an odd barrier: count, all, any
  bool lazy_copies_ = true;

  bool has_inputs_ = false;
  bool lets_next_start_early_ = false;
  Cluster cluster_;
  unsigned at_cluster_barrier_ = 0;
  unsigned cluster_generation_ = 0;  // barriers of the cluster passed

  BlockContext context_{};
  dim3 shape_{0, 0, 0};  // that the threads' indices are of
  const std::function<void()>* body_ = nullptr;
  size_t shared_bytes_ = 0;
  unsigned char* shared_memory_ = nullptr;
  size_t shared_capacity_ = 0;
  // For the thread sanitizer.
  char* sync_objects_ = nullptr;         // addresses of barriers and warps
  std::vector<void*> atomic_addresses_;  // that this block's atomic operations were on
  char launch_object_ = 0;
  char end_object_ = 0;
  unsigned blocks_run_ = 0;
};

}  // namespace msn::kernels::shim
