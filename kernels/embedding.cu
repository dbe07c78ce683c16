// Token embedding, one block a row: output[i] = table[tokens[i]], f32 [rows, hidden] from rows of bf16, or of
// int8 with one f32 scale a row.
#include "kernels/embedding.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;

template <bool kWhole, class Number>
__device__ __forceinline__ void read_row(const Number* from, float scale, float* to, int64_t width) {
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kRun; i < width; i += kThreads * kRun) {
    float values[kRun];
    load_run<kWhole>(from + i, width - i, values);
#pragma unroll
    for (int j = 0; j < kRun; ++j) values[j] *= scale;
    store_run<kWhole>(to + i, width - i, values);
  }
}

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) embedding_kernel(const EmbeddingForward args) {
  wait_for_inputs();
  let_next_start();
  const int64_t token = args.tokens[blockIdx.x];
  float* const to = args.output + static_cast<int64_t>(blockIdx.x) * args.hidden;
  if (args.table_int8 != nullptr) {
    read_row<kWhole>(args.table_int8 + token * args.stride, args.scales[token], to, args.hidden);
  } else {
    read_row<kWhole>(args.table + token * args.stride, 1.0f, to, args.hidden);
  }
}

}  // namespace

Status embedding_forward(const EmbeddingForward& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const bool whole = whole_runs<kRun>(args.hidden, args.output) &&
                     whole_runs<kRun>(args.stride, args.table, args.table_int8);
  const Grid grid{dim3(static_cast<unsigned>(args.rows)), dim3(kThreads)};
  return launch(whole ? embedding_kernel<true> : embedding_kernel<false>, grid, args, where);
}

}  // namespace msn::kernels
