// Gradient of split_heads, a few heads a warp: gradients of query and key are rotated back,
// (a, b) -> (a cos + b sin, b cos - a sin), then go through the query/key norm as in rms_norm_backward.cu;
// the value's are copied. qkv_gradient: [rows, (heads + 2 kv_heads) * head_dim]. With norms a block owns a
// group of rows, sums what they give to the norms' weights, and the groups are added in order.
#include "kernels/head_lanes.h"
#include "kernels/launcher.h"
#include "kernels/partial_sums.h"
#include "kernels/split_heads.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int64_t kMostGroups = 512;
constexpr int64_t kRowsOfGroup = 4;  // at least

struct Plan {
  SplitHeadsBackward args;
  int64_t heads_of_block;  // consecutive heads of consecutive rows
  float* partials;         // [gridDim.x, 2, head_dim]: of the query's and the key's norm
};

// What one lane sums for the weights of one norm.
struct NormGradient {
  float a[kRun] = {}, b[kRun] = {};
};

// Turns the gradient of y = weight x / rms(x) into that of x and adds to the weight's, `of_weight`. The whole
// warp calls; lanes without a weight only take part in the sums.
template <bool kWhole>
__device__ __forceinline__ void norm_backward(const SplitHeadsBackward& args, const HeadLanes& mine,
                                              int64_t left, const Bf16* input, const float* weight,
                                              float (&a)[kRun], float (&b)[kRun], NormGradient& of_weight) {
  const int64_t half = args.head_dim / 2;
  float x[kRun] = {}, y[kRun] = {}, weight_a[kRun] = {}, weight_b[kRun] = {};
  if (weight != nullptr) {
    load_run<kWhole>(input, left, x);
    load_run<kWhole>(input + half, left, y);
    load_run<kWhole>(weight + mine.at, left, weight_a);
    load_run<kWhole>(weight + half + mine.at, left, weight_b);
  }
  const float width = static_cast<float>(args.head_dim);
  const float inverse = 1.0f / sqrtf(mine.sum(sum_of_squares(x, y)) / width + args.epsilon);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kRun; ++i) {
    of_weight.a[i] = a[i] * x[i];
    of_weight.b[i] = b[i] * y[i];
    sum = fmaf(of_weight.a[i], weight_a[i], sum);
    sum = fmaf(of_weight.b[i], weight_b[i], sum);
    of_weight.a[i] *= inverse;
    of_weight.b[i] *= inverse;
  }
  const float pull = inverse * inverse * (mine.sum(sum) / width);
  if (weight == nullptr) return;
#pragma unroll
  for (int i = 0; i < kRun; ++i) {
    a[i] = fmaf(x[i], -pull, weight_a[i] * a[i]) * inverse;
    b[i] = fmaf(y[i], -pull, weight_b[i] * b[i]) * inverse;
  }
}

__device__ __forceinline__ void add_if(bool wanted, const NormGradient& one, NormGradient& total) {
#pragma unroll
  for (int i = 0; i < kRun; ++i) {
    total.a[i] = wanted ? total.a[i] + one.a[i] : total.a[i];
    total.b[i] = wanted ? total.b[i] + one.b[i] : total.b[i];
  }
}

// Sums the lanes' gradients of one norm over the block and writes them to partial[head_dim]. `sums`:
// [warps * heads of a warp, head_dim] in shared memory.
__device__ void write_partial(const HeadLanes& mine, int64_t head_dim, const NormGradient& gradient,
                              float* sums, float* partial) {
  __syncthreads();  // what was read from `sums` has been
  if (mine.head < mine.heads_of_warp) {
    float* const to = sums + (threadIdx.x / 32 * mine.heads_of_warp + mine.head) * head_dim + mine.at;
    store_run<false>(to, mine.left, gradient.a);
    store_run<false>(to + head_dim / 2, mine.left, gradient.b);
  }
  __syncthreads();
  for (int64_t column = threadIdx.x; column < head_dim; column += kThreads) {
    float sum = 0;
    for (int owner = 0; owner < kWarps * mine.heads_of_warp; ++owner) sum += sums[owner * head_dim + column];
    partial[column] = sum;
  }
}

template <bool kWhole, bool kNormed>
__global__ void __launch_bounds__(kThreads) split_heads_backward_kernel(const Plan plan) {
  wait_for_inputs();
  let_next_start();
  const SplitHeadsBackward& args = plan.args;
  const int64_t half = args.head_dim / 2;
  const uint32_t heads_of_row = static_cast<uint32_t>(args.heads + 2 * args.kv_heads);
  const int64_t begin = blockIdx.x * plan.heads_of_block;
  const int64_t all = args.rows * heads_of_row;
  const int64_t heads = all - begin < plan.heads_of_block ? all - begin : plan.heads_of_block;
  const HeadLanes mine(static_cast<int>(threadIdx.x), half);
  const int64_t side_by_side = kWarps * mine.heads_of_warp;
  const int64_t place = threadIdx.x / 32 * mine.heads_of_warp + mine.head;
  NormGradient query_norm, key_norm;
  for (int64_t step = 0; step < heads; step += side_by_side) {
    const bool busy = mine.head < mine.heads_of_warp && step + place < heads;
    const uint32_t head_of_all = busy ? static_cast<uint32_t>(begin + step + place) : 0;
    const int64_t row = head_of_all / heads_of_row, head = head_of_all % heads_of_row;
    const int64_t left = busy ? mine.left : 0;
    const bool is_query = head < args.heads, is_value = head >= args.heads + args.kv_heads;
    const Bf16* from;
    if (is_query) {
      from = args.query_gradient + (row * args.heads + head) * args.head_dim;
    } else {
      const int64_t kv_head = head - args.heads - (is_value ? args.kv_heads : 0);
      from = (is_value ? args.values_gradient : args.keys_gradient) +
             (kv_head * args.rows + row) * args.head_dim;
    }
    float a[kRun], b[kRun];
    load_run<kWhole>(from + mine.at, left, a);
    load_run<kWhole>(from + half + mine.at, left, b);
    if (!is_value) {
      float cosine[kRun], sine[kRun];
      load_run<kWhole>(args.rotary + row * args.head_dim + mine.at, left, cosine);
      load_run<kWhole>(args.rotary + row * args.head_dim + half + mine.at, left, sine);
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        const float first = a[i];
        a[i] = first * cosine[i] + b[i] * sine[i];
        b[i] = b[i] * cosine[i] - first * sine[i];
      }
    }
    const int64_t at = (row * heads_of_row + head) * args.head_dim + mine.at;
    if constexpr (kNormed) {
      const float* const weight = !busy || is_value ? nullptr : is_query ? args.query_norm : args.key_norm;
      NormGradient of_weight;
      norm_backward<kWhole>(args, mine, left, args.qkv + at, weight, a, b, of_weight);
      add_if(weight != nullptr && is_query, of_weight, query_norm);
      add_if(weight != nullptr && !is_query, of_weight, key_norm);
    }
    store_run<kWhole>(args.qkv_gradient + at, left, a);
    store_run<kWhole>(args.qkv_gradient + at + half, left, b);
  }
  if constexpr (kNormed) {
    float* const partial = plan.partials + static_cast<int64_t>(blockIdx.x) * 2 * args.head_dim;
    write_partial(mine, args.head_dim, query_norm, shared_memory<float>(), partial);
    write_partial(mine, args.head_dim, key_norm, shared_memory<float>(), partial + args.head_dim);
  }
}

}  // namespace

Status split_heads_backward(const SplitHeadsBackward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const int64_t half = args.head_dim / 2, heads_of_row = args.heads + 2 * args.kv_heads;
  const bool normed = args.query_norm != nullptr;
  const int64_t side_by_side = kWarps * HeadLanes(0, half).heads_of_warp;
  const RowGroups groups(args.rows, kMostGroups, kRowsOfGroup);
  const Plan plan{args, normed ? groups.rows * heads_of_row : side_by_side,
                  static_cast<float*>(where.scratch)};
  const bool whole =
      whole_runs<kRun>(half, args.qkv, args.query_norm, args.key_norm, args.rotary, args.query_gradient,
                       args.keys_gradient, args.values_gradient, args.qkv_gradient);
  const Grid grid{dim3(static_cast<unsigned>(divided_up(args.rows * heads_of_row, plan.heads_of_block))),
                  dim3(kThreads),
                  normed ? side_by_side * args.head_dim * static_cast<int64_t>(sizeof(float)) : 0};
  const auto kernel =
      normed ? (whole ? split_heads_backward_kernel<true, true> : split_heads_backward_kernel<false, true>)
             : (whole ? split_heads_backward_kernel<true, false> : split_heads_backward_kernel<false, false>);
  Status status = launch(kernel, grid, plan, where);
  if (status != 0 || !normed) return status;
  const int64_t stride = 2 * args.head_dim;
  status =
      add_partials({plan.partials, args.query_norm_gradient, groups.count, stride, args.head_dim}, where);
  if (status != 0) return status;
  return add_partials(
      {plan.partials + args.head_dim, args.key_norm_gradient, groups.count, stride, args.head_dim}, where);
}

}  // namespace msn::kernels
