// output[j] += sum over i of input[i][j]: the gradient of a bias. A thread owns a column and every eighth row
// of it; the eight sums are added in one order.
#include "kernels/launcher.h"
#include "kernels/matrix_product.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kRowLanes = 8;

__global__ void __launch_bounds__(kColumns* kRowLanes) column_sum_kernel(const ColumnSum args) {
  wait_for_inputs();
  let_next_start();
  float* const partial = shared_memory<float>();  // [kRowLanes, kColumns]
  const int column_in_block = threadIdx.x % kColumns;
  const int row_lane = threadIdx.x / kColumns;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kColumns + column_in_block;
  float sum = 0;
  if (column < args.width) {
    const Bf16* const input = args.input + column;
#pragma unroll 8
    for (int64_t row = row_lane; row < args.rows; row += kRowLanes) sum += to_float(input[row * args.width]);
  }
  partial[threadIdx.x] = sum;
  __syncthreads();
  if (row_lane != 0 || column >= args.width) return;
  float total = args.output[column];
  for (int lane = 0; lane < kRowLanes; ++lane) total += partial[lane * kColumns + column_in_block];
  args.output[column] = total;
}

}  // namespace

Status column_sum(const ColumnSum& args, const Launch& where) {
  if (args.width == 0 || args.rows == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(divided_up(args.width, kColumns))), dim3(kColumns * kRowLanes),
                  kColumns * kRowLanes * static_cast<int64_t>(sizeof(float))};
  return launch(column_sum_kernel, grid, args, where);
}

}  // namespace msn::kernels
