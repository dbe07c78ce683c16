// total[j] += the sum over groups of partials[group][j], [groups, width], one thread a column and slice of
// the groups: the groups of a slice in order, then the slices in order.
#include "kernels/launcher.h"
#include "kernels/partial_sums.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kColumns = 32;  // of a block
constexpr int kSlices = 8;

__global__ void __launch_bounds__(kColumns* kSlices) partial_sums_kernel(const PartialSums args) {
  wait_for_inputs();
  let_next_start();
  float* const sums = shared_memory<float>();  // [kSlices, kColumns]
  const int column = static_cast<int>(threadIdx.x % kColumns),
            slice = static_cast<int>(threadIdx.x / kColumns);
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kColumns + column;
  const int64_t of_slice = divided_up(args.groups, kSlices);
  const int64_t first = slice * of_slice;
  const int64_t end = first + of_slice < args.groups ? first + of_slice : args.groups;
  float sum = 0;
  if (at < args.width) {
#pragma unroll 8
    for (int64_t group = first; group < end; ++group) sum += args.partials[group * args.stride + at];
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (slice > 0 || at >= args.width) return;
  for (int other = 1; other < kSlices; ++other) sum += sums[other * kColumns + column];
  args.total[at] += sum;
}

}  // namespace

Status add_partials(const PartialSums& args, const Launch& where) {
  const Grid grid{dim3(static_cast<unsigned>(divided_up(args.width, kColumns))), dim3(kColumns * kSlices),
                  kColumns * kSlices * static_cast<int64_t>(sizeof(float))};
  return launch(partial_sums_kernel, grid, args, where);
}

}  // namespace msn::kernels
