// Gradient of RMSNorm, one block a group of rows. With g = output_gradient, i = inverse_rms:
//   input_gradient += i (weight g - x i^2 mean(weight g x));   weight_gradient += sum over rows of g x i
// x, g, input_gradient: [rows, width]. A group's sum for weight_gradient grows in shared memory, row by row;
// the groups are then added in order.
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/partial_sums.h"
#include "kernels/rms_norm.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kRun = 4;
constexpr int64_t kMostGroups = 256;
constexpr int64_t kRowsOfGroup = 8;  // at least

struct Plan {
  RmsNormBackward args;
  int64_t rows_of_group;
  float* partials;  // [groups, width]
};

// kPasses * kThreads * kRun >= width.
template <int kThreads, int kPasses, bool kWhole>
__global__ void __launch_bounds__(kThreads) rms_norm_backward_kernel(const Plan plan) {
  wait_for_inputs();
  let_next_start();
  constexpr int64_t kPass = kThreads * kRun;
  constexpr bool kKept = kPasses <= 4;  // with more, registers hold the input alone and the rest is read anew
  const RmsNormBackward& args = plan.args;
  const int64_t width = args.width, first = static_cast<int64_t>(threadIdx.x) * kRun;
  float* const weight_gradient = shared_memory<float>();       // [kPasses * kPass], a thread's own runs
  float* const reduction = weight_gradient + kPasses * kPass;  // [2, warps]: in turn, see block_sum
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass)
    store_whole(weight_gradient + first + pass * kPass, {0.0f, 0.0f, 0.0f, 0.0f});

  const int64_t begin = blockIdx.x * plan.rows_of_group;
  const int64_t end = begin + plan.rows_of_group < args.rows ? begin + plan.rows_of_group : args.rows;
  for (int64_t row = begin; row < end; ++row) {
    float x[kPasses][kRun], weighted[kPasses][kRun], old[kPasses][kRun];
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t at = first + pass * kPass, left = width - at;
      load_run<kWhole>(args.input + row * width + at, left, x[pass]);
      load_run<kWhole>(args.output_gradient + row * width + at, left, weighted[pass]);
      if (kKept) load_run<kWhole>(args.input_gradient + row * width + at, left, old[pass]);
    }
    const float inverse = args.inverse_rms[row];
    float sum = 0;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t at = first + pass * kPass;
      float weight[kRun], total[kRun];
      load_run<kWhole>(args.weight + at, width - at, weight);
      load_whole(weight_gradient + at, total);
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        const float product = weighted[pass][i] * x[pass][i];
        total[i] = fmaf(product, inverse, total[i]);
        sum = fmaf(product, weight[i], sum);
        weighted[pass][i] *= weight[i];
      }
      store_whole(weight_gradient + at, total);
    }
    sum = block_sum<kThreads>(sum, reduction + (row - begin) % 2 * (kThreads / 32));
    const float pull = inverse * inverse * (sum / static_cast<float>(width));
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t at = first + pass * kPass, left = width - at;
      if constexpr (!kKept) {
        float weight[kRun];
        load_run<kWhole>(args.weight + at, left, weight);
        load_run<kWhole>(args.output_gradient + row * width + at, left, weighted[pass]);
        load_run<kWhole>(args.input_gradient + row * width + at, left, old[pass]);
#pragma unroll
        for (int i = 0; i < kRun; ++i) weighted[pass][i] *= weight[i];
      }
#pragma unroll
      for (int i = 0; i < kRun; ++i) old[pass][i] += fmaf(x[pass][i], -pull, weighted[pass][i]) * inverse;
      store_run<kWhole>(args.input_gradient + row * width + at, left, old[pass]);
      if (args.rounded != nullptr) store_run<kWhole>(args.rounded + row * width + at, left, old[pass]);
    }
  }
  float* const partial = plan.partials + static_cast<int64_t>(blockIdx.x) * width;
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int64_t at = first + pass * kPass;
    float total[kRun];
    load_whole(weight_gradient + at, total);
    store_run<kWhole>(partial + at, width - at, total);
  }
}

template <int kThreads, int kPasses>
Status launch_passes(const Plan& plan, int64_t groups, const Launch& where) {
  const RmsNormBackward& args = plan.args;
  const bool whole = whole_runs<kRun>(args.width, args.input, args.weight, args.output_gradient,
                                      args.input_gradient, args.rounded, plan.partials);
  const Grid grid{dim3(static_cast<unsigned>(groups)), dim3(kThreads),
                  (kPasses * kThreads * kRun + 2 * kThreads / 32) * static_cast<int64_t>(sizeof(float))};
  return launch(whole ? rms_norm_backward_kernel<kThreads, kPasses, true>
                      : rms_norm_backward_kernel<kThreads, kPasses, false>,
                grid, plan, where);
}

}  // namespace

Status rms_norm_backward(const RmsNormBackward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const RowGroups groups(args.rows, kMostGroups, kRowsOfGroup);
  const Plan plan{args, groups.rows, static_cast<float*>(where.scratch)};
  const auto launch_width = args.width <= 1024   ? launch_passes<256, 1>
                            : args.width <= 2048 ? launch_passes<256, 2>
                            : args.width <= 4096 ? launch_passes<256, 4>
                            : args.width <= 8192 ? launch_passes<512, 4>
                                                 : launch_passes<512, 8>;
  const Status status = launch_width(plan, groups.count, where);
  if (status != 0) return status;
  return add_partials({plan.partials, args.weight_gradient, groups.count, args.width, args.width}, where);
}

}  // namespace msn::kernels
