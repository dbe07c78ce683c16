// The order in which logits rank, as integers: a larger value, then a lower index, is a larger rank; NaN lies
// below all numbers, and -0 equals 0. No two elements of a row have the same rank, so the highest of a set
// does not depend on the order in which it is looked for.
#pragma once
#include "kernels/block_reduce.h"

namespace msn::kernels {

using Rank = unsigned long long;
constexpr Rank kNoRank = 0;  // below every element's

__device__ __forceinline__ Rank rank_of(float value, int64_t index) {
  const uint32_t bits = __float_as_uint(value + 0.0f);  // -0 becomes 0
  const uint32_t ordered = value != value ? 0 : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return Rank{ordered} << 32 | static_cast<uint32_t>(~static_cast<uint32_t>(index));
}

__device__ __forceinline__ int64_t index_of(Rank rank) { return ~static_cast<uint32_t>(rank); }

__device__ __forceinline__ Rank higher(Rank a, Rank b) { return a > b ? a : b; }

// Every thread gets the highest rank of a block of kThreads (a multiple of 32). `partial`: [kThreads / 32] in
// shared memory, free again when all threads have passed the next barrier.
template <int kThreads>
__device__ __forceinline__ Rank block_highest(Rank rank, Rank* partial) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2)
    rank = higher(rank, __shfl_xor_sync(kWholeWarp, rank, distance));
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = rank;
  __syncthreads();
  rank = partial[0];
#pragma unroll
  for (int warp = 1; warp < kThreads / 32; ++warp) rank = higher(rank, partial[warp]);
  return rank;
}

// Sorts one rank a thread over a block of kThreads (a power of two), the highest to thread 0: Batcher's
// bitonic network. `exchange`: [kThreads] in shared memory, holds the sorted ranks for all threads
// afterwards.
template <int kThreads>
__device__ __forceinline__ Rank block_sort(Rank rank, Rank* exchange) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int size = 2; size <= kThreads; size *= 2)
    for (int distance = size / 2; distance > 0; distance /= 2) {
      Rank other;
      if (distance < 32) {
        other = __shfl_xor_sync(kWholeWarp, rank, distance);
      } else {
        __syncthreads();
        exchange[thread] = rank;
        __syncthreads();
        other = exchange[thread ^ distance];
      }
      const bool keeps_higher = ((thread & distance) == 0) == ((thread & size) == 0);
      rank = keeps_higher == (rank > other) ? rank : other;
    }
  __syncthreads();
  exchange[thread] = rank;
  __syncthreads();
  return rank;
}

}  // namespace msn::kernels
