// How a warp shares heads: a lane owns a run of a head's first half and the run opposite to it in the second,
// which is what the rotation by halves mixes. Several small heads fit into a warp.
#pragma once
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {

constexpr int kRun = 8;

struct HeadLanes {
  int lanes;          // of one head
  int heads_of_warp;  // side by side
  int head;           // this lane's, in its warp; heads_of_warp for lanes that are left over
  int lane;           // this one, of its head
  int64_t at;         // where its run begins in each half
  int64_t left;       // numbers of the half from there on

  // half: of a head, at most 256.
  MSN_HOST_DEVICE explicit HeadLanes(int thread, int64_t half)
      : lanes(static_cast<int>(divided_up(half, kRun))),
        heads_of_warp(32 / lanes),
        head(thread % 32 / lanes),
        lane(thread % 32 % lanes),
        at(int64_t{lane} * kRun),
        left(half - at) {}

  // The sum over the lanes of this lane's head, in their order. The whole warp calls.
  __device__ float sum(float value) const {
    const int first = static_cast<int>(threadIdx.x % 32) - lane;
    float total = 0;
    for (int other = 0; other < lanes; ++other) total += __shfl_sync(kWholeWarp, value, (first + other) % 32);
    return total;
  }
};

__device__ __forceinline__ float sum_of_squares(const float (&a)[kRun], const float (&b)[kRun]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kRun; ++i) sum = fmaf(a[i], a[i], sum);
#pragma unroll
  for (int i = 0; i < kRun; ++i) sum = fmaf(b[i], b[i], sum);
  return sum;
}

}  // namespace msn::kernels
