// What running device code asks of the shim: who it is, barriers, warp collectives, clusters, copies and
// matrices.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/shim/vector_types.h"

namespace msn::kernels::shim {

struct GridShape {
  dim3 blocks;
  dim3 threads;
  size_t shared_bytes;   // of a block
  int cluster;           // consecutive blocks that run at the same time
  bool may_start_early;  // beside the kernel in front of it, as far as wait_for_inputs()
};

struct ThreadContext {
  uint3 index;      // threadIdx
  unsigned linear;  // 32 * warp + lane
  unsigned warp;
  unsigned lane;
};

struct BlockContext {
  uint3 index;   // blockIdx
  dim3 threads;  // blockDim
  dim3 blocks;   // gridDim
  unsigned char* shared_memory;
  unsigned cluster_rank;
};

// Of the device thread that runs on this thread of the process; null outside kernels.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit const ThreadContext* current_thread;
[[gnu::tls_model("initial-exec")]] extern thread_local constinit const BlockContext* current_block;

inline unsigned char* dynamic_shared_memory() { return current_block->shared_memory; }

// Every kernel has to call it; a thread that ends without is reported.
void wait_for_inputs();
void let_next_start();

// ---- the block
enum class Vote { kCount, kAnd, kOr };
void synchronize_block();
int synchronize_block(int predicate, Vote vote);

// ---- the warp
// Called once when all lanes of `mask` have come, with the pointer that each lane brought.
using WarpFunction = void (*)(void* const* slots, uint32_t mask);
void warp_collective(uint32_t mask, WarpFunction function, void* slot);
void synchronize_warp(uint32_t mask);
uint64_t shuffle(uint32_t mask, uint64_t value, unsigned source_lane);
uint32_t ballot(uint32_t mask, bool predicate);

// ---- the cluster
inline unsigned cluster_rank() { return current_block->cluster_rank; }
void synchronize_cluster();
// The place in the shared memory of block `rank` that `own`, of 16 bytes, is in the running block's.
const void* of_cluster(const void* own, unsigned rank);

// ---- memory
void fence();
// Around an atomic operation, under the thread sanitizer. Atomics are relaxed: what one thread wrote is seen
// by another only when the one fenced before its atomic operation on an address and the other, or another
// thread of its block, fences after its own.
void before_atomic(void* address);
void after_atomic(void* address);
// Lets other threads run; for loops that wait for them.
void yield();
// `wanted_bytes` (0 or `bytes`) are copied, the rest becomes zero. The destination is NaN until it is waited
// for.
void copy_async(void* shared, const void* global, int bytes, int wanted_bytes);
void commit_copies();
void wait_for_copies(int pending_groups);

// ---- matrices, of whole warps; see kernels/ptx.h for who holds what
void multiply_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void load_matrices_of_warp(uint32_t (&r)[4], const void* row, bool transposed);

// Reads in instrumented code what the runtime will read for this lane, so that sanitizers see the access.
[[gnu::noinline]] inline void touch_16_bytes(const void* memory) {
  const volatile uint64_t* const words = static_cast<const volatile uint64_t*>(memory);
  static_cast<void>(words[0] ^ words[1]);
}
inline void load_matrices(uint32_t (&r)[4], const void* row, bool transposed) {
  touch_16_bytes(row);
  load_matrices_of_warp(r, row, transposed);
}

// Reports a fault of the running kernel and ends the process: device threads cannot be unwound.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

}  // namespace msn::kernels::shim
