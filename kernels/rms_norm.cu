// RMSNorm, one block a row: s = input + addend, y = weight * s / sqrt(mean(s^2) + epsilon)
// (arXiv 1910.07467), rows [rows, width]. The row stays in registers between the sum and the product. The sum
// of squares has one order, a function of the width alone.
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/rms_norm.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;
constexpr int64_t kPass = kThreads * kRun;  // what a block reads at once

// kPasses: width / kPass, rounded up to what is compiled. The compiler may take registers for the whole row:
// it saves them otherwise and loads piece by piece.
template <int kPasses, bool kWhole>
__global__ void __launch_bounds__(kThreads, kPasses <= 4 ? 2 : 1) rms_norm_kernel(const RmsNormForward args) {
  let_next_start();  // a product follows
  // The weights come before the row while registers last: they lie in memory, the row in a cache.
  constexpr int kEarly = kPasses <= 8 ? kPasses : 1;
  float* const partial = shared_memory<float>();  // [warps]
  const int64_t row = static_cast<int64_t>(blockIdx.x) * args.width;
  const int64_t first = static_cast<int64_t>(threadIdx.x) * kRun;
  float values[kPasses][kRun], weights[kEarly][kRun];
  if (kEarly == kPasses) {
#pragma unroll
    for (int pass = 0; pass < kEarly; ++pass) {
      const int64_t at = first + pass * kPass;
      load_run<kWhole>(args.weight + at, args.width - at, weights[pass]);
    }
  }
  wait_for_inputs();
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int64_t at = first + pass * kPass;
    load_run<kWhole>(args.input + row + at, args.width - at, values[pass]);
  }
  if (args.addend != nullptr) {
    // All are on their way before the first sum is written: the sum may lie where the input does.
    float addends[kPasses][kRun];
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t at = first + pass * kPass;
      load_run<kWhole>(args.addend + row + at, args.width - at, addends[pass]);
    }
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t at = first + pass * kPass;
#pragma unroll
      for (int i = 0; i < kRun; ++i) values[pass][i] += addends[pass][i];
      store_run<kWhole>(args.sum + row + at, args.width - at, values[pass]);
    }
  }
  float squares = 0;
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass)
#pragma unroll
    for (int i = 0; i < kRun; ++i) squares = fmaf(values[pass][i], values[pass][i], squares);
  const float mean = block_sum<kThreads>(squares, partial) / static_cast<float>(args.width);
  const float inverse = 1.0f / sqrtf(mean + args.epsilon);
  if (threadIdx.x == 0 && args.inverse_rms != nullptr) args.inverse_rms[blockIdx.x] = inverse;
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int64_t at = first + pass * kPass;
    if (kEarly != kPasses) load_run<kWhole>(args.weight + at, args.width - at, weights[0]);
#pragma unroll
    for (int i = 0; i < kRun; ++i) values[pass][i] = values[pass][i] * inverse * weights[pass % kEarly][i];
    store_run<kWhole>(args.output + row + at, args.width - at, values[pass]);
  }
}

template <int kPasses>
Status launch_passes(const RmsNormForward& args, const Launch& where) {
  const Grid grid{dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), kThreads / 32 * sizeof(float)};
  const bool whole =
      whole_runs<kRun>(args.width, args.input, args.addend, args.sum, args.weight, args.output);
  return launch(whole ? rms_norm_kernel<kPasses, true> : rms_norm_kernel<kPasses, false>, grid, args, where);
}

}  // namespace

Status rms_norm_forward(const RmsNormForward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  if (args.width <= kPass) return launch_passes<1>(args, where);
  if (args.width <= 2 * kPass) return launch_passes<2>(args, where);
  if (args.width <= 4 * kPass) return launch_passes<4>(args, where);
  if (args.width <= 8 * kPass) return launch_passes<8>(args, where);
  return launch_passes<16>(args, where);
}

}  // namespace msn::kernels
