// How a warp shares heads: a lane owns a run of a head's first half and the run opposite to it in the second,
// which is what the rotation by halves mixes. Several small heads fit into a warp.
#pragma once
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {

constexpr int kRun = 8;

struct HeadLanes {
  int lanes;     // of one head
  int lane;      // this one, of its head
  int64_t at;    // where its run begins in each half
  int64_t left;  // numbers of the half from there on
  int64_t head;  // counted over the whole grid; lanes that are left over get an idle head

  // `warp` counted over the whole grid; `heads` there are in all.
  __device__ HeadLanes(int64_t warp, int64_t half, int64_t heads) {
    lanes = static_cast<int>(divided_up(half, kRun));
    const int in_warp = static_cast<int>(threadIdx.x % 32), heads_of_warp = 32 / lanes;
    lane = in_warp % lanes;
    at = int64_t{lane} * kRun;
    left = half - at;
    head = in_warp / lanes < heads_of_warp ? warp * heads_of_warp + in_warp / lanes : heads;
  }

  // The sum over the lanes of this lane's head, in their order. The whole warp calls.
  __device__ float sum(float value) const {
    const int first = static_cast<int>(threadIdx.x % 32) - lane;
    float total = 0;
    for (int other = 0; other < lanes; ++other) total += __shfl_sync(kWholeWarp, value, (first + other) % 32);
    return total;
  }
};

// Heads that a block of `threads` takes up.
inline int64_t heads_of_block(int64_t threads, int64_t half) {
  return threads / 32 * (32 / divided_up(half, kRun));
}

__device__ __forceinline__ float sum_of_squares(const float (&a)[kRun], const float (&b)[kRun]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kRun; ++i) sum = fmaf(a[i], a[i], sum);
#pragma unroll
  for (int i = 0; i < kRun; ++i) sum = fmaf(b[i], b[i], sum);
  return sum;
}

}  // namespace msn::kernels
