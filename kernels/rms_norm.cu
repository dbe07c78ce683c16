// RMSNorm, one block a row: s = input + addend, y = weight * s / sqrt(mean(s^2) + epsilon)
// (arXiv 1910.07467). The sum of squares has one order, whatever the number of rows.
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "kernels/rms_norm.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) rms_norm_kernel(const RmsNormForward args) {
  wait_for_inputs();
  let_next_start();
  float* const partial = shared_memory<float>();  // [warps]
  const int64_t first = static_cast<int64_t>(blockIdx.x) * args.width;
  float squares = 0;
  for (int64_t i = threadIdx.x; i < args.width; i += kThreads) {
    float value = args.input[first + i];
    if (args.addend != nullptr) {
      value += to_float(args.addend[first + i]);
      args.sum[first + i] = value;
    }
    squares = fmaf(value, value, squares);
  }
  const float mean = block_sum<kThreads>(squares, partial) / static_cast<float>(args.width);
  const float inverse = 1.0f / sqrtf(mean + args.epsilon);
  if (threadIdx.x == 0 && args.inverse_rms != nullptr) args.inverse_rms[blockIdx.x] = inverse;
  const float* const values = args.addend != nullptr ? args.sum : args.input;
  // A thread reads what it wrote itself.
  for (int64_t i = threadIdx.x; i < args.width; i += kThreads)
    args.output[first + i] = to_bf16(values[first + i] * inverse * args.weight[i]);
}

}  // namespace

Status rms_norm_forward(const RmsNormForward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), kThreads / 32 * sizeof(float)};
  return launch(rms_norm_kernel, grid, args, where);
}

}  // namespace msn::kernels
