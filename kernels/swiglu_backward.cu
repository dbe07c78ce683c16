// Gradient of SwiGLU, one thread a run of a row. With s = 1 / (1 + exp(-gate)) and g = output_gradient:
//   gate_gradient = g up s (1 + gate (1 - s));   up_gradient = g gate s
// bf16 [rows, 2 * inner] from gate_up of the same shape, which may be overwritten: a thread reads what it
// writes first.
#include "kernels/launcher.h"
#include "kernels/runs.h"
#include "kernels/swiglu.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 8;

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) swiglu_backward_kernel(const SwiGluBackward args) {
  wait_for_inputs();
  let_next_start();
  const uint32_t runs_of_row = static_cast<uint32_t>(divided_up(args.inner, kRun));
  const uint32_t run = blockIdx.x * kThreads + threadIdx.x;
  const int64_t row = run / runs_of_row, i = int64_t{run % runs_of_row} * kRun;
  if (row >= args.rows) return;
  const int64_t at = row * 2 * args.inner + i, left = args.inner - i;
  float gate[kRun], up[kRun], gradient[kRun];
  load_run<kWhole>(args.gate_up + at, left, gate);
  load_run<kWhole>(args.gate_up + at + args.inner, left, up);
  load_run<kWhole>(args.output_gradient + row * args.inner + i, left, gradient);
#pragma unroll
  for (int j = 0; j < kRun; ++j) {
    const float sigmoid = 1.0f / (1.0f + expf(-gate[j]));
    const float scaled = gradient[j] * sigmoid;
    const float of_up = scaled * gate[j];
    gate[j] = scaled * up[j] * fmaf(gate[j], 1.0f - sigmoid, 1.0f);
    up[j] = of_up;
  }
  store_run<kWhole>(args.gate_up_gradient + at, left, gate);
  store_run<kWhole>(args.gate_up_gradient + at + args.inner, left, up);
}

}  // namespace

Status swiglu_backward(const SwiGluBackward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const bool whole = whole_runs<kRun>(args.inner, args.gate_up, args.output_gradient, args.gate_up_gradient);
  const int64_t runs = args.rows * divided_up(args.inner, kRun);
  const Grid grid{dim3(static_cast<unsigned>(divided_up(runs, kThreads))), dim3(kThreads)};
  return launch(whole ? swiglu_backward_kernel<true> : swiglu_backward_kernel<false>, grid, args, where);
}

}  // namespace msn::kernels
