#include "kernels/shim/block.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/shim/sanitizers.h"

namespace msn::kernels::shim {

thread_local constinit const ThreadContext* current_thread = nullptr;
thread_local constinit const BlockContext* current_block = nullptr;

namespace {

[[gnu::tls_model("initial-exec")]] thread_local constinit Block* this_block = nullptr;

constexpr size_t kGuardBytes = 4096;     // behind a block's shared memory
constexpr size_t kWarpObjects = 64;      // where the warps' addresses begin among the sync objects
constexpr size_t kClusterObjects = 128;  // and the cluster's, of which its first block has them
constexpr size_t kSyncBytes = 1024;
constexpr size_t kMostAtomicAddresses = 16384;

// Addresses that no block before used: an address used twice would order the two blocks' accesses.
char* fresh_sync_objects() {
  constexpr size_t kRegion = size_t{1} << 34;
  static char* const region = static_cast<char*>(
      mmap(nullptr, kRegion, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  static std::atomic<size_t> used{0};
  return region + used++ % (kRegion / kSyncBytes) * kSyncBytes;
}

}  // namespace

// The thread sanitizer watches the allocations of fibers, and would take a list that one of them makes longer
// for a race of the kernel's.
Block::Block(Fiber& own_stack) : own_stack_(own_stack) { atomic_addresses_.reserve(kMostAtomicAddresses); }

Block::~Block() {
  for (Fiber* fiber : fibers_) delete fiber;
}

void Block::see_all_ends() { acquire(&end_object_); }

void Block::run() {
  this_block = this;
  release(&launch_object_);
  if (Thread* const first = take_next()) {
    current_block = &context_;
    fiber_of(*first).resume_from(own_stack_);
    current_thread = nullptr;
    current_block = nullptr;
  }
  if (!has_inputs_) return;
  if (alive_ > at_cluster_barrier_) report_deadlock();
  if (has_ended()) check_shared_memory();
}

void Block::give_inputs() {
  has_inputs_ = true;
  for (unsigned warp = 0; warp < warp_count_; ++warp)
    ready_.add(warp, std::exchange(warps_[warp].at_inputs, 0));
}

void Block::prepare(const GridShape& grid, uint3 index, Cluster cluster, unsigned rank,
                    const Settings& settings, const std::function<void()>& body) {
  body_ = &body;
  cluster_ = cluster;
  at_cluster_barrier_ = cluster_generation_ = 0;
  has_inputs_ = lets_next_start_early_ = false;
  const dim3 shape = grid.threads;
  thread_count_ = alive_ = shape.x * shape.y * shape.z;
  if (threads_.size() < thread_count_) threads_.resize(thread_count_);
  const bool same_shape = shape.x == shape_.x && shape.y == shape_.y && shape.z == shape_.z;
  shape_ = shape;
  lazy_copies_ = settings.lazy_copies;
  at_barrier_ = 0;
  std::memset(votes_, 0, sizeof votes_);
  votes_[0][1] = votes_[1][1] = 1;
  ready_.reset(settings.schedule,
               settings.seed * 0x9E3779B97F4A7C15u ^
                   (index.x + 131 * uint64_t{index.y} + 65537 * uint64_t{index.z} + 1) * 0xD1342543DE82EF95u);
  for (unsigned i = 0; i < thread_count_; ++i) {
    Thread& thread = threads_[i];
    if (!same_shape)
      thread.context = {
          {i % shape.x, i / shape.x % shape.y, i / (shape.x * shape.y)}, i, i / kLanes, i % kLanes};
    thread.fiber = nullptr;
    thread.waited_for_inputs = false;
    thread.copy_group = 0;
    thread.fenced = false;
    thread.copies.clear();
  }
  warp_count_ = (thread_count_ + kLanes - 1) / kLanes;
  for (unsigned warp = 0; warp < warp_count_; ++warp) {
    warps_[warp].pending_count = 0;
    warps_[warp].at_barrier = warps_[warp].at_cluster_barrier = warps_[warp].at_inputs = 0;
    const unsigned lanes = std::min(thread_count_ - warp * kLanes, kLanes);
    ready_.add(warp, lanes == kLanes ? 0xFFFFFFFFu : (1u << lanes) - 1);
  }
  if (under_thread_sanitizer()) {
    sync_objects_ = fresh_sync_objects();
    while (fibers_.size() < thread_count_) add_fiber();
    atomic_addresses_.clear();
    ++blocks_run_;  // the fiber of a thread was another thread's in the last block
  }
  prepare_shared_memory(grid.shared_bytes);
  context_ = {index, grid.threads, grid.blocks, shared_memory_, rank};
}

// All ones, which are NaNs, and poisoned or checked behind its end.
void Block::prepare_shared_memory(size_t bytes) {
  shared_bytes_ = bytes;
  const size_t wanted = (bytes + kGuardBytes + 4095) & ~size_t{4095};
  if (under_thread_sanitizer()) {  // new addresses, so that blocks do not seem to share it
    if (shared_memory_ != nullptr) munmap(shared_memory_, shared_capacity_);
    shared_capacity_ = wanted;
    shared_memory_ = static_cast<unsigned char*>(
        mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  } else if (shared_capacity_ < wanted) {
    std::free(shared_memory_);
    shared_capacity_ = wanted;
    shared_memory_ = static_cast<unsigned char*>(std::aligned_alloc(4096, wanted));
  }
  if (__asan_unpoison_memory_region != nullptr)
    __asan_unpoison_memory_region(shared_memory_, shared_capacity_);
  std::memset(shared_memory_, 0xFF, bytes + 64);
  if (__asan_poison_memory_region != nullptr)
    __asan_poison_memory_region(shared_memory_ + bytes, shared_capacity_ - bytes);
}

void Block::check_shared_memory() const {
  if (__asan_poison_memory_region != nullptr) return;
  for (size_t i = 0; i < 64; ++i)
    if (shared_memory_[shared_bytes_ + i] != 0xFF)
      fail("block (%u, %u, %u) wrote behind its %zu bytes of shared memory", context_.index.x,
           context_.index.y, context_.index.z, shared_bytes_);
}

Block::Thread* Block::take_next() {
  const int next = ready_.take();
  return next == ReadyThreads::kNone ? nullptr : threads_.data() + next;
}

// Makes `next` the running thread; its fiber is to be switched to.
Fiber& Block::fiber_of(Thread& next) {
  running_ = &next;
  current_thread = &next.context;
  if (next.fiber != nullptr) return *next.fiber;
  if (under_thread_sanitizer()) {
    next.fiber = fibers_[(next.context.linear + blocks_run_) % fibers_.size()];
  } else {
    if (free_fibers_.empty()) {
      add_fiber();
      free_fibers_.push_back(fibers_.back());
    }
    next.fiber = free_fibers_.back();
    free_fibers_.pop_back();
  }
  return *next.fiber;
}

void Block::add_fiber() {
  fibers_.push_back(new Fiber(&Block::run_threads, this, static_cast<unsigned>(fibers_.size())));
}

// A fiber's whole life: threads, one after another.
void Block::run_threads(void* block) {
  Block& self = *static_cast<Block*>(block);
  for (;;) {
    acquire(&self.launch_object_);
    (*self.body_)();
    release(&self.end_object_);
    self.finish_running();
  }
}

// Returns when this fiber has a new thread to run.
[[gnu::noinline]] void Block::finish_running() {
  if (!running_->waited_for_inputs) fail("a kernel has to call wait_for_inputs() in every thread");
  --alive_;
  if (at_barrier_ > 0 && at_barrier_ == alive_) release_barrier();
  Fiber* const mine = running_->fiber;
  Thread* const next = take_next();
  if (next != nullptr && next->fiber == nullptr && !under_thread_sanitizer()) {
    next->fiber = mine;
    running_ = next;
    current_thread = &next->context;
    return;
  }
  Fiber& target = next == nullptr ? own_stack_ : fiber_of(*next);
  if (!under_thread_sanitizer()) free_fibers_.push_back(mine);
  target.resume_from(*mine);
}

[[gnu::noinline]] void Block::switch_to_next() {
  Fiber* const mine = running_->fiber;
  Thread* const next = take_next();
  Fiber& target = next == nullptr ? own_stack_ : fiber_of(*next);
  if (&target == mine) return;
  target.resume_from(*mine);
}

void Block::wait_for_inputs() {
  running_->waited_for_inputs = true;
  if (has_inputs_) return;
  const ThreadContext& me = running_->context;
  warps_[me.warp].at_inputs |= 1u << me.lane;
  switch_to_next();
  acquire(&launch_object_);
}

int Block::synchronize(int predicate, Vote vote) {
  const unsigned parity = barrier_generation_ & 1;
  char* const object = sync_objects_ + parity;
  if (under_thread_sanitizer()) release(object);
  int (&votes)[3] = votes_[parity];
  votes[0] += predicate != 0;
  votes[1] &= predicate != 0;
  votes[2] |= predicate != 0;
  ++at_barrier_;
  if (at_barrier_ == alive_) {
    release_barrier();
  } else {
    const ThreadContext& me = running_->context;
    warps_[me.warp].at_barrier |= 1u << me.lane;
    switch_to_next();
  }
  if (under_thread_sanitizer()) acquire(object);
  return votes[static_cast<int>(vote)];
}

void Block::release_barrier() {
  at_barrier_ = 0;
  ++barrier_generation_;
  int (&votes)[3] = votes_[barrier_generation_ & 1];  // of the next barrier: all have read what was there
  votes[0] = votes[2] = 0;
  votes[1] = 1;
  for (unsigned warp = 0; warp < warp_count_; ++warp) {
    ready_.add(warp, warps_[warp].at_barrier);
    warps_[warp].at_barrier = 0;
  }
}

void Block::synchronize_cluster() {
  char* const object = cluster_[0]->sync_objects_ + kClusterObjects + (cluster_generation_ & 1);
  if (under_thread_sanitizer()) release(object);
  const ThreadContext& me = running_->context;
  warps_[me.warp].at_cluster_barrier |= 1u << me.lane;
  ++at_cluster_barrier_;
  switch_to_next();
  if (under_thread_sanitizer()) acquire(object);
}

void Block::pass_cluster_barrier() {
  at_cluster_barrier_ = 0;
  ++cluster_generation_;
  for (unsigned warp = 0; warp < warp_count_; ++warp)
    ready_.add(warp, std::exchange(warps_[warp].at_cluster_barrier, 0));
}

const void* Block::of_cluster(const void* own, unsigned rank) const {
  if (rank >= cluster_.size()) fail("a cluster of %zu blocks has no block %u", cluster_.size(), rank);
  const size_t place = static_cast<size_t>(static_cast<const unsigned char*>(own) - shared_memory_);
  if (place >= shared_bytes_ || shared_bytes_ - place < 16 || place % 16 != 0)
    fail("%p is no place of 16 bytes in the block's shared memory", own);
  const Block& other = *cluster_[rank];
  if (&other != this && cluster_generation_ == 0)
    fail("no barrier of the cluster says that its block %u, whose shared memory is read, has begun", rank);
  if (other.has_ended()) fail("block %u of the cluster, whose shared memory is read, has ended", rank);
  return other.shared_memory_ + place;
}

void Block::warp_collective(uint32_t mask, WarpFunction function, void* slot, bool orders_memory) {
  Thread& me = *running_;
  const unsigned lane = me.context.lane;
  Warp& warp = warps_[me.context.warp];
  if ((mask >> lane & 1) == 0)
    fail("warp collective: the calling lane %u is not in the mask %08x", lane, mask);
  const bool ordered = orders_memory && under_thread_sanitizer();
  char* const object = sync_objects_ + kWarpObjects + me.context.warp;
  if (ordered) release(object);
  warp.slots[lane] = slot;
  unsigned k = 0;
  while (k < warp.pending_count && (warp.pending[k].mask & mask) == 0) ++k;
  if (k == warp.pending_count) warp.pending[warp.pending_count++] = {mask, 0, function};
  Collective& pending = warp.pending[k];
  if (pending.mask != mask || pending.function != function)
    fail("divergent warp collective: lane %u comes with mask %08x, the warp waits in %s with mask %08x", lane,
         mask, pending.function == function ? "the same operation" : "another operation", pending.mask);
  pending.arrived |= 1u << lane;
  if (pending.arrived == mask) {
    pending = warp.pending[--warp.pending_count];
    if (function != nullptr) function(warp.slots, mask);
    ready_.add(me.context.warp, mask & ~(1u << lane));
  } else {
    switch_to_next();
  }
  if (ordered) acquire(object);
}

void Block::yield() {
  ready_.add(running_->context.warp, 1u << running_->context.lane);
  switch_to_next();
}

void Block::copy_async(void* shared, const void* global, int bytes, int wanted_bytes) {
  const uintptr_t addresses = reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global);
  if ((addresses & static_cast<uintptr_t>(bytes - 1)) != 0)
    fail("asynchronous copy of %d bytes: %p or %p is not aligned", bytes, shared, global);
  const AsyncCopy copy{shared, global, bytes, wanted_bytes, running_->copy_group};
  if (!lazy_copies_) return land(copy);
  std::memset(shared, 0xFF, static_cast<size_t>(bytes));
  running_->copies.push_back(copy);
}

void Block::wait_for_copies(int pending_groups) {
  const int first_pending = running_->copy_group - pending_groups;
  size_t kept = 0;
  for (const AsyncCopy& copy : running_->copies) {
    if (copy.group < first_pending)
      land(copy);
    else
      running_->copies[kept++] = copy;
  }
  running_->copies.resize(kept);
}

// memcpy and memset are called, not inlined (-fno-builtin): sanitizers watch the calls.
void Block::land(const AsyncCopy& copy) {
  if (copy.wanted_bytes > 0) std::memcpy(copy.shared, copy.global, static_cast<size_t>(copy.wanted_bytes));
  if (copy.bytes > copy.wanted_bytes)
    std::memset(static_cast<char*>(copy.shared) + copy.wanted_bytes, 0,
                static_cast<size_t>(copy.bytes - copy.wanted_bytes));
}

void Block::fence() {
  running_->fenced = true;
  for (void* address : atomic_addresses_) acquire(address);
}

void Block::before_atomic(void* address) {
  if (running_->fenced) release(address);
}

void Block::after_atomic(void* address) {
  if (std::find(atomic_addresses_.begin(), atomic_addresses_.end(), address) != atomic_addresses_.end())
    return;
  if (atomic_addresses_.size() == kMostAtomicAddresses)
    fail("a block with atomic operations on more addresses than the shim can remember");
  atomic_addresses_.push_back(address);
}

// ---- execution.h
void fail(const char* format, ...) {
  char text[1024];
  int length = std::snprintf(text, sizeof text, "CUDA shim: ");
  if (current_thread != nullptr) length += this_block->describe_running(text + length, sizeof text - length);
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text + length, sizeof text - length, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "%s\n", text);  // at once: another worker may fail, too
  std::fflush(stderr);
  _exit(70);
}

void wait_for_inputs() { this_block->wait_for_inputs(); }
void let_next_start() { this_block->let_next_start(); }
void synchronize_block() { this_block->synchronize(0, Vote::kCount); }
int synchronize_block(int predicate, Vote vote) { return this_block->synchronize(predicate, vote); }
void synchronize_warp(uint32_t mask) { this_block->warp_collective(mask, nullptr, nullptr, true); }
void warp_collective(uint32_t mask, WarpFunction function, void* slot) {
  this_block->warp_collective(mask, function, slot, false);
}
void yield() { this_block->yield(); }
void copy_async(void* shared, const void* global, int bytes, int wanted_bytes) {
  this_block->copy_async(shared, global, bytes, wanted_bytes);
}
void synchronize_cluster() { this_block->synchronize_cluster(); }
const void* of_cluster(const void* own, unsigned rank) { return this_block->of_cluster(own, rank); }
void commit_copies() { this_block->commit_copies(); }
void wait_for_copies(int pending_groups) { this_block->wait_for_copies(pending_groups); }

void fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  this_block->fence();
}
void before_atomic(void* address) { this_block->before_atomic(address); }
void after_atomic(void* address) { this_block->after_atomic(address); }

}  // namespace msn::kernels::shim
