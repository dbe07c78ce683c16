// Softmax statistics of one row of logits in one pass (arXiv 1805.02867), by a block, in one order.
#pragma once
#include <float.h>
#include <math.h>

#include "kernels/block_reduce.h"

namespace msn::kernels {

// Of the logits seen so far. Nothing seen: the lowest finite number, so that no difference is NaN unless a
// logit is.
struct RowSoftmax {
  float highest = -FLT_MAX;
  float sum = 0;      // of exp(logit - highest)
  int32_t index = 0;  // the lowest one whose logit is the highest
};

__device__ __forceinline__ void add_logit(RowSoftmax& row, float logit, int32_t index) {
  const float weight = expf(-fabsf(logit - row.highest));
  if (logit > row.highest) {
    row = {logit, fmaf(row.sum, weight, 1.0f), index};
  } else {
    row.sum += weight;
  }
}

// The same result whichever of two is `a`.
__device__ __forceinline__ RowSoftmax merged(const RowSoftmax& a, const RowSoftmax& b) {
  const bool a_first = a.highest > b.highest || (a.highest == b.highest && a.index < b.index);
  const float weight = expf(-fabsf(a.highest - b.highest));
  return {a_first ? a.highest : b.highest, a_first ? fmaf(b.sum, weight, a.sum) : fmaf(a.sum, weight, b.sum),
          a_first ? a.index : b.index};
}

// Calls visit4(i) for i = 0, 4, ... where four elements may be taken at once, then visit(i) for the rest;
// this thread's part of a block of kThreads, ascending.
template <int kThreads, class VisitFour, class Visit>
__device__ __forceinline__ void for_each_element(int64_t count, bool four_at_once, const VisitFour& visit4,
                                                 const Visit& visit) {
  const int64_t whole = four_at_once ? count / 4 * 4 : 0;
#pragma unroll 4
  for (int64_t i = int64_t{threadIdx.x} * 4; i < whole; i += kThreads * 4) visit4(i);
  for (int64_t i = whole + threadIdx.x; i < count; i += kThreads) visit(i);
}

__device__ __forceinline__ bool divides_address(const void* memory, int bytes) {
  return reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(bytes) == 0;
}

// Every thread gets the statistics of logits [count]. `partial`: [kThreads / 32] in shared memory.
template <int kThreads>
__device__ __forceinline__ RowSoftmax row_softmax(const float* logits, int64_t count, RowSoftmax* partial) {
  RowSoftmax row;
  for_each_element<kThreads>(
      count, divides_address(logits, 16),
      [&](int64_t i) {
        const float4 four = *reinterpret_cast<const float4*>(logits + i);
        const int32_t index = static_cast<int32_t>(i);
        add_logit(row, four.x, index);
        add_logit(row, four.y, index + 1);
        add_logit(row, four.z, index + 2);
        add_logit(row, four.w, index + 3);
      },
      [&](int64_t i) { add_logit(row, logits[i], static_cast<int32_t>(i)); });
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    RowSoftmax other;
    other.highest = __shfl_xor_sync(kWholeWarp, row.highest, distance);
    other.sum = __shfl_xor_sync(kWholeWarp, row.sum, distance);
    other.index = __shfl_xor_sync(kWholeWarp, row.index, distance);
    row = merged(row, other);
  }
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = row;
  __syncthreads();
  row = partial[0];
#pragma unroll
  for (int warp = 1; warp < kThreads / 32; ++warp) row = merged(row, partial[warp]);
  return row;
}

}  // namespace msn::kernels
