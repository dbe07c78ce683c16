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
  const int64_t half = args.head_dim / 2;
  const uint32_t heads_of_row = static_cast<uint32_t>(args.heads + 2 * args.kv_heads);
  const HeadLanes mine(static_cast<int>(threadIdx.x), half);
  const uint32_t warp = blockIdx.x * kWarps + threadIdx.x / 32;
  const uint32_t head_of_all = warp * mine.heads_of_warp + mine.head;
  const int64_t row = head_of_all / heads_of_row, head = head_of_all % heads_of_row;
  const bool busy = mine.head < mine.heads_of_warp && row < args.rows;
  const int64_t left = busy ? mine.left : 0;
  const bool is_query = head < args.heads, is_value = head >= args.heads + args.kv_heads;

  // All that is read, before the first wait for any of it.
  const int64_t cache_row = args.first_row[0] + row;
  const Bf16* const from = args.qkv + (row * heads_of_row + head) * args.head_dim + mine.at;
  const float* const rotary = args.rotary + row * args.head_dim + mine.at;
  float a[kRun], b[kRun], cosine[kRun], sine[kRun];
  load_run<kWhole>(from, left, a);
  load_run<kWhole>(from + half, left, b);
  load_run<kWhole>(rotary, is_value ? 0 : left, cosine);
  load_run<kWhole>(rotary + half, is_value ? 0 : left, sine);
  const float* const norm = is_value ? nullptr : is_query ? args.query_norm : args.key_norm;
  if (args.query_norm != nullptr || args.key_norm != nullptr) {
    float weight_a[kRun] = {}, weight_b[kRun] = {};
    if (norm != nullptr) {
      load_run<kWhole>(norm + mine.at, left, weight_a);
      load_run<kWhole>(norm + half + mine.at, left, weight_b);
    }
    const float squares = mine.sum(sum_of_squares(a, b));  // the whole warp takes part
    const float inverse = 1.0f / sqrtf(squares / static_cast<float>(args.head_dim) + args.epsilon);
    if (norm != nullptr) {
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        a[i] = a[i] * inverse * weight_a[i];
        b[i] = b[i] * inverse * weight_b[i];
      }
    }
  }
  if (!busy) return;
  if (!is_value) {
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
    to = (is_value ? args.values : args.keys) + (kv_head * args.capacity + cache_row) * args.head_dim;
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
