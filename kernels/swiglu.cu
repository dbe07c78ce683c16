// SwiGLU, one thread a run of a row: output = gate / (1 + exp(-gate)) * up, bf16 [rows, inner] from
// gate_up [rows, 2 * inner].
#include "kernels/launcher.h"
#include "kernels/runs.h"
#include "kernels/swiglu.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 8;

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) swiglu_kernel(const SwiGluForward args) {
  let_next_start();  // a product follows
  wait_for_inputs();
  const uint32_t runs_of_row = static_cast<uint32_t>(divided_up(args.inner, kRun));
  const uint32_t run = blockIdx.x * kThreads + threadIdx.x;
  const int64_t row = run / runs_of_row, i = int64_t{run % runs_of_row} * kRun;
  if (row >= args.rows) return;
  const Bf16* const gates = args.gate_up + row * 2 * args.inner + i;
  float gate[kRun], up[kRun];
  load_run<kWhole>(gates, args.inner - i, gate);
  load_run<kWhole>(gates + args.inner, args.inner - i, up);
#pragma unroll
  for (int j = 0; j < kRun; ++j) up[j] *= gate[j] / (1.0f + expf(-gate[j]));
  store_run<kWhole>(args.output + row * args.inner + i, args.inner - i, up);
}

}  // namespace

Status swiglu_forward(const SwiGluForward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const bool whole = whole_runs<kRun>(args.inner, args.gate_up, args.output);
  const int64_t runs = args.rows * divided_up(args.inner, kRun);
  const Grid grid{dim3(static_cast<unsigned>(divided_up(runs, kThreads))), dim3(kThreads)};
  return launch(whole ? swiglu_kernel<true> : swiglu_kernel<false>, grid, args, where);
}

}  // namespace msn::kernels
