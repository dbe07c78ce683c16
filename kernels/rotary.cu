// Table of the rotation, one thread an angle: table[row] = cos(position * f_i) for i < head_dim / 2, then
// sin(position * f_i), f32 [rows, head_dim], computed in double.
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "kernels/rotary.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) rotary_kernel(const RotaryTable args) {
  wait_for_inputs();
  let_next_start();
  const int64_t half = args.head_dim / 2;
  const int64_t angles = args.rows * half;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= angles) return;
  const int64_t row = index / half, i = index % half;
  const double angle = args.positions[row] * args.inverse_frequencies[i];
  args.table[row * args.head_dim + i] = static_cast<float>(cos(angle));
  args.table[row * args.head_dim + half + i] = static_cast<float>(sin(angle));
}

}  // namespace

Status rotary_table(const RotaryTable& args, const Launch& where) {
  const int64_t angles = args.rows * (args.head_dim / 2);
  if (angles == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(divided_up(angles, kThreads))), dim3(kThreads)};
  return launch(rotary_kernel, grid, args, where);
}

}  // namespace msn::kernels
