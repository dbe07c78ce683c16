// AdamW over [count] elements, with g = gradient_scale * gradient:
//   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2;   w -= lr decay w
//   w -= lr / (1 - beta1^step) m / (sqrt(v / (1 - beta2^step)) + epsilon)
// in the CPU engine's order of roundings, bit for bit. With 8-bit moments a warp owns a block of
// kMomentBlock: it widens the moments, updates with what it has, and codes them anew with the block's new
// largest magnitude.
#include <cmath>

#include "base/moment_codes.h"
#include "kernels/adamw.h"
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;

// What all elements of a step share.
struct Step {
  float beta1, beta2, new1, new2, gradient_scale, decay, step_size, root_scale, epsilon;
};

Step step_of(const AdamW& args) {
  const double step = static_cast<double>(args.step);
  const double first_correction = 1 - std::pow(args.beta1, step),
               second_correction = 1 - std::pow(args.beta2, step);
  const auto rounded = [](double value) { return static_cast<float>(value); };
  return {.beta1 = rounded(args.beta1),
          .beta2 = rounded(args.beta2),
          .new1 = rounded(1 - args.beta1),
          .new2 = rounded(1 - args.beta2),
          .gradient_scale = rounded(args.gradient_scale),
          .decay = rounded(args.learning_rate * args.weight_decay),
          .step_size = rounded(args.learning_rate / first_correction),
          .root_scale = rounded(1 / std::sqrt(second_correction)),
          .epsilon = rounded(args.epsilon)};
}

struct Plan {
  AdamW args;
  Step step;
};

__device__ __forceinline__ void update(const Step& step, float g, float& w, float& m, float& v) {
  g *= step.gradient_scale;
  m = fmaf(step.beta1, m, step.new1 * g);
  v = fmaf(step.beta2, v, step.new2 * (g * g));
  w = w - step.decay * w;
  w = w - step.step_size * m / fmaf(sqrtf(v), step.root_scale, step.epsilon);
}

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) adamw_kernel(const Plan plan) {
  wait_for_inputs();
  let_next_start();
  const AdamW& args = plan.args;
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kRun,
                left = args.count - at;
  if (left <= 0) return;
  float w[kRun], g[kRun], m[kRun], v[kRun];
  load_run<kWhole>(args.weight + at, left, w);
  load_run<kWhole>(args.gradient + at, left, g);
  load_run<kWhole>(args.first_moment + at, left, m);
  load_run<kWhole>(args.second_moment + at, left, v);
#pragma unroll
  for (int i = 0; i < kRun; ++i) update(plan.step, g[i], w[i], m[i], v[i]);
  store_run<kWhole>(args.weight + at, left, w);
  store_run<kWhole>(args.first_moment + at, left, m);
  store_run<kWhole>(args.second_moment + at, left, v);
  if (args.rounded != nullptr) store_run<kWhole>(args.rounded + at, left, w);
}

// A run of codes, `values` from the table of the code map [256].
template <bool kWhole>
__device__ __forceinline__ void load_codes(const uint8_t* from, int64_t left, const float* table, float scale,
                                           float (&moments)[kRun]) {
  uint32_t codes = 0;
  if (kWhole && left > 0) {
    codes = *reinterpret_cast<const uint32_t*>(from);
  } else {
    for (int i = 0; i < kRun; ++i) codes |= i < left ? uint32_t{from[i]} << (8 * i) : 0;
  }
#pragma unroll
  for (int i = 0; i < kRun; ++i) moments[i] = table[(codes >> (8 * i)) & 0xFF] * scale;
}

template <bool kWhole, class Code>
__device__ __forceinline__ void store_codes(uint8_t* to, int64_t left, float inverse,
                                            const float (&moments)[kRun], Code code) {
  uint32_t codes = 0;
#pragma unroll
  for (int i = 0; i < kRun; ++i) codes |= uint32_t{code(moments[i] * inverse)} << (8 * i);
  if (kWhole) {
    if (left > 0) *reinterpret_cast<uint32_t*>(to) = codes;
  } else {
    for (int i = 0; i < kRun; ++i)
      if (i < left) to[i] = static_cast<uint8_t>(codes >> (8 * i));
  }
}

constexpr int kRunsOfLane = static_cast<int>(kMomentBlock) / (32 * kRun);

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) adamw_codes_kernel(const Plan plan) {
  static_assert(kThreads == 256, "a thread computes one code's value");
  float* const first_values = shared_memory<float>();  // [256]
  float* const second_values = first_values + 256;     // [256]
  first_values[threadIdx.x] = first_moment_value(static_cast<uint8_t>(threadIdx.x));
  second_values[threadIdx.x] = second_moment_value(static_cast<uint8_t>(threadIdx.x));
  __syncthreads();
  wait_for_inputs();
  let_next_start();
  const AdamW& args = plan.args;
  const int64_t blocks = divided_up(args.count, kMomentBlock);
  const int64_t warps = int64_t{gridDim.x} * (kThreads / 32);
  for (int64_t block = static_cast<int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32; block < blocks;
       block += warps) {
    const float first_scale = args.first_scale[block], second_scale = args.second_scale[block];
    float w[kRunsOfLane][kRun], g[kRunsOfLane][kRun], m[kRunsOfLane][kRun], v[kRunsOfLane][kRun];
    const int64_t lane_at = block * kMomentBlock + threadIdx.x % 32 * kRun;
#pragma unroll
    for (int run = 0; run < kRunsOfLane; ++run) {
      const int64_t at = lane_at + run * 32 * kRun, left = args.count - at;
      load_run<kWhole>(args.weight + at, left, w[run]);
      load_run<kWhole>(args.gradient + at, left, g[run]);
      load_codes<kWhole>(args.first_codes + at, left, first_values, first_scale, m[run]);
      load_codes<kWhole>(args.second_codes + at, left, second_values, second_scale, v[run]);
    }
    float first_largest = 0, second_largest = 0;
#pragma unroll
    for (int run = 0; run < kRunsOfLane; ++run)
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        update(plan.step, g[run][i], w[run][i], m[run][i], v[run][i]);
        first_largest = fmaxf(first_largest, fabsf(m[run][i]));
        second_largest = fmaxf(second_largest, v[run][i]);
      }
    const float new_first_scale = moment_scale(warp_max(first_largest));
    const float new_second_scale = moment_scale(warp_max(second_largest));
    const float first_inverse = inverse_moment_scale(new_first_scale);
    const float second_inverse = inverse_moment_scale(new_second_scale);
    __syncwarp();  // all lanes have read the scales
    if (threadIdx.x % 32 == 0) {
      args.first_scale[block] = new_first_scale;
      args.second_scale[block] = new_second_scale;
    }
#pragma unroll
    for (int run = 0; run < kRunsOfLane; ++run) {
      const int64_t at = lane_at + run * 32 * kRun, left = args.count - at;
      store_run<kWhole>(args.weight + at, left, w[run]);
      if (args.rounded != nullptr) store_run<kWhole>(args.rounded + at, left, w[run]);
      store_codes<kWhole>(args.first_codes + at, left, first_inverse, m[run], first_moment_code);
      store_codes<kWhole>(args.second_codes + at, left, second_inverse, v[run], second_moment_code);
    }
  }
}

}  // namespace

Status adamw(const AdamW& args, const Launch& where) {
  if (args.count == 0) return 0;
  const Plan plan{args, step_of(args)};
  const bool whole = whole_runs<kRun>(args.count, args.weight, args.gradient, args.rounded, args.first_moment,
                                      args.second_moment, args.first_codes, args.second_codes);
  if (args.first_codes == nullptr) {
    const Grid grid{dim3(static_cast<unsigned>(divided_up(args.count, kThreads * kRun))), dim3(kThreads)};
    return launch(whole ? adamw_kernel<true> : adamw_kernel<false>, grid, plan, where);
  }
  // Four blocks on a multiprocessor keep it busy; more would build more tables.
  const int64_t useful = divided_up(divided_up(args.count, kMomentBlock), kThreads / 32);
  const int64_t wanted = int64_t{where.device->multiprocessors} * 4;
  const Grid grid{dim3(static_cast<unsigned>(useful < wanted ? useful : wanted)), dim3(kThreads),
                  512 * static_cast<int64_t>(sizeof(float))};
  return launch(whole ? adamw_codes_kernel<true> : adamw_codes_kernel<false>, grid, plan, where);
}

}  // namespace msn::kernels
