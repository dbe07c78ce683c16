// Heads of the fused projection qkv [rows, (heads + 2 kv_heads) * head_dim], a few heads a warp: optional
// norm x / rms(x) * weight, rotation by halves (a, b) -> (a cos - b sin, b cos + a sin) for query and key, a
// copy for the value; keys and values go to rows first_row + row of the cache [kv_heads, capacity, head_dim].
#include "kernels/head_lanes.h"
#include "kernels/launcher.h"
#include "kernels/split_heads.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) split_heads_kernel(const SplitHeadsForward args) {
  wait_for_inputs();
  let_next_start();
  const int64_t half = args.head_dim / 2, heads_of_row = args.heads + 2 * args.kv_heads;
  const HeadLanes mine(static_cast<int>(threadIdx.x), half);
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  const int64_t head_of_all = warp * mine.heads_of_warp + mine.head;
  const bool busy = mine.head < mine.heads_of_warp && head_of_all < args.rows * heads_of_row;
  const int64_t row = busy ? head_of_all / heads_of_row : 0;
  const int64_t head = busy ? head_of_all % heads_of_row : 0;
  const int64_t left = busy ? mine.left : 0;
  const bool is_query = head < args.heads, is_value = head >= args.heads + args.kv_heads;

  const Bf16* const from = args.qkv + (row * heads_of_row + head) * args.head_dim + mine.at;
  float a[kRun], b[kRun];
  load_run<kWhole>(from, left, a);
  load_run<kWhole>(from + half, left, b);
  if (args.query_norm != nullptr || args.key_norm != nullptr) {
    const float squares = mine.sum(sum_of_squares(a, b));  // the whole warp takes part
    const float* const norm = is_value ? nullptr : is_query ? args.query_norm : args.key_norm;
    if (norm != nullptr) {
      const float inverse = 1.0f / sqrtf(squares / static_cast<float>(args.head_dim) + args.epsilon);
      float weight[kRun];
      load_run<kWhole>(norm + mine.at, left, weight);
#pragma unroll
      for (int i = 0; i < kRun; ++i) a[i] = a[i] * inverse * weight[i];
      load_run<kWhole>(norm + half + mine.at, left, weight);
#pragma unroll
      for (int i = 0; i < kRun; ++i) b[i] = b[i] * inverse * weight[i];
    }
  }
  if (!busy) return;
  if (!is_value) {
    float cosine[kRun], sine[kRun];
    load_run<kWhole>(args.rotary + row * args.head_dim + mine.at, left, cosine);
    load_run<kWhole>(args.rotary + row * args.head_dim + half + mine.at, left, sine);
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      const float first = a[i];
      a[i] = first * cosine[i] - b[i] * sine[i];
      b[i] = b[i] * cosine[i] + first * sine[i];
    }
  }
  Bf16* to;
  if (is_query) {
    to = args.query + (row * args.heads + head) * args.head_dim;
  } else {
    const int64_t kv_head = head - args.heads - (is_value ? args.kv_heads : 0);
    to = (is_value ? args.values : args.keys) +
         (kv_head * args.capacity + args.first_row[0] + row) * args.head_dim;
  }
  store_run<kWhole>(to + mine.at, left, a);
  store_run<kWhole>(to + half + mine.at, left, b);
}

}  // namespace

Status split_heads_forward(const SplitHeadsForward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const int64_t half = args.head_dim / 2, heads = args.rows * (args.heads + 2 * args.kv_heads);
  const bool whole = whole_runs<kRun>(half, args.qkv, args.query_norm, args.key_norm, args.rotary, args.query,
                                      args.keys, args.values);
  const int64_t blocks = divided_up(heads, kWarps * HeadLanes(0, half).heads_of_warp);
  const Grid grid{dim3(static_cast<unsigned>(blocks)), dim3(kThreads)};
  return launch(whole ? split_heads_kernel<true> : split_heads_kernel<false>, grid, args, where);
}

}  // namespace msn::kernels
