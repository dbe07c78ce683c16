// Sum of squares of gradient [count] in double: a fixed number of parts, whatever the device, each summed by
// one block; the block that ends last adds the parts in order.
#include "kernels/block_reduce.h"
#include "kernels/gradient_norm.h"
#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;
constexpr int64_t kParts = 1024;

struct Plan {
  SquaredNorm args;
  double* parts;  // [gridDim.x]
  uint32_t* ticket;
};

// Every thread gets the sum over the block. `partial`: [kThreads / 32] in shared memory.
__device__ double block_sum_of_doubles(double value, double* partial) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kWholeWarp, value, distance);
  __syncthreads();
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += partial[warp];
  return sum;
}

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) squared_norm_kernel(const Plan plan) {
  wait_for_inputs();
  let_next_start();
  double* const partial = shared_memory<double>();                              // [warps]
  unsigned* const flag = reinterpret_cast<unsigned*>(partial + kThreads / 32);  // [1]
  const int64_t stride = int64_t{gridDim.x} * kThreads * kRun;
  double sum = 0;
#pragma unroll 4
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kRun; i < plan.args.count;
       i += stride) {
    float values[kRun];
    load_run<kWhole>(plan.args.gradient + i, plan.args.count - i, values);
#pragma unroll
    for (int j = 0; j < kRun; ++j)
      sum = fma(static_cast<double>(values[j]), static_cast<double>(values[j]), sum);
  }
  sum = block_sum_of_doubles(sum, partial);
  if (threadIdx.x == 0) plan.parts[blockIdx.x] = sum;
  if (!arrives_last(plan.ticket, gridDim.x, flag)) return;
  double total = 0;
  for (unsigned part = threadIdx.x; part < gridDim.x; part += kThreads) total += plan.parts[part];
  total = block_sum_of_doubles(total, partial);
  if (threadIdx.x == 0) *plan.args.result = total;
}

}  // namespace

Status squared_norm(const SquaredNorm& args, const Launch& where) {
  const int64_t useful = divided_up(args.count, kThreads * kRun);
  const int64_t parts = useful < 1 ? 1 : useful < kParts ? useful : kParts;
  const Plan plan{args, static_cast<double*>(where.scratch), where.tickets};
  const Grid grid{dim3(static_cast<unsigned>(parts)), dim3(kThreads), (kThreads / 32 + 1) * int64_t{8}};
  const bool whole = whole_runs<kRun>(args.count, args.gradient);
  return launch(whole ? squared_norm_kernel<true> : squared_norm_kernel<false>, grid, plan, where);
}

}  // namespace msn::kernels
