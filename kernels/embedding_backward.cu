// Gradient of the embedding: table_gradient[tokens[i]] += output_gradient[i], f32 [vocabulary, hidden] from
// [rows, hidden], rows in ascending i for every cell. The rows are sorted by (token, row); the block at the
// first row of a token owns a slice of that token's columns and adds the rows one after another.
#include <algorithm>

#include "kernels/block_reduce.h"
#include "kernels/embedding.h"
#include "kernels/launcher.h"
#include "kernels/runs.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;
constexpr int kRowsOfWarp = 4;  // that a warp finds the places of
constexpr int kAhead = 8;       // rows read before the first of them is added
// Every row is compared with every other, so longer inputs go piece by piece, in order.
constexpr int64_t kMostRows = 16384;

// Row `row` of the piece has this token.
struct alignas(8) TokenRow {
  int32_t token, row;
};

struct Piece {
  EmbeddingBackward args;
  TokenRow* sorted;  // [rows]
};

// A row's place is the number of rows that come before it.
__global__ void __launch_bounds__(kThreads) sort_rows_kernel(const Piece piece) {
  wait_for_inputs();
  let_next_start();
  const int rows = static_cast<int>(piece.args.rows), lane = static_cast<int>(threadIdx.x % 32);
  const int first = static_cast<int>(blockIdx.x * kThreads + threadIdx.x) / 32 * kRowsOfWarp;
  int32_t tokens[kRowsOfWarp];
  int before[kRowsOfWarp] = {};
#pragma unroll
  for (int i = 0; i < kRowsOfWarp; ++i) tokens[i] = first + i < rows ? piece.args.tokens[first + i] : 0;
#pragma unroll 4
  for (int row = lane; row < rows; row += 32) {
    const int32_t token = piece.args.tokens[row];
#pragma unroll
    for (int i = 0; i < kRowsOfWarp; ++i)
      before[i] += token < tokens[i] || (token == tokens[i] && row < first + i) ? 1 : 0;
  }
#pragma unroll
  for (int i = 0; i < kRowsOfWarp; ++i) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
      before[i] += __shfl_xor_sync(kWholeWarp, before[i], distance);
    if (lane == 0 && first + i < rows) piece.sorted[before[i]] = {tokens[i], first + i};
  }
}

// Three blocks a multiprocessor: the compiler saves registers otherwise and takes the rows two by two.
template <bool kWhole>
__global__ void __launch_bounds__(kThreads, 3) add_rows_kernel(const Piece piece) {
  wait_for_inputs();
  let_next_start();
  const EmbeddingBackward& args = piece.args;
  const int64_t begin = blockIdx.x;
  const int32_t token = piece.sorted[begin].token;
  if (begin > 0 && piece.sorted[begin - 1].token == token) return;
  const int64_t at = (static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x) * kRun,
                left = args.hidden - at;
  if (left <= 0) return;
  float* const cells = args.table_gradient + token * args.hidden + at;
  float sum[kRun];
  load_run<kWhole>(cells, left, sum);
  bool more = true;
  for (int64_t place = begin; more; place += kAhead) {
    float gradients[kAhead][kRun];
    bool same[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const TokenRow next = piece.sorted[place + i < args.rows ? place + i : begin];
      same[i] = place + i < args.rows && next.token == token;
      // Another token's row is read, too, and not added: a condition would keep the loads from being in
      // flight together.
      load_run<kWhole>(args.output_gradient + next.row * args.hidden + at, left, gradients[i]);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
#pragma unroll
      for (int j = 0; j < kRun; ++j) sum[j] = same[i] ? sum[j] + gradients[i][j] : sum[j];
    more = same[kAhead - 1];
  }
  store_run<kWhole>(cells, left, sum);
}

}  // namespace

Status embedding_backward(const EmbeddingBackward& args, const Launch& where) {
  const int64_t most = std::min(kMostRows, where.scratch_bytes / static_cast<int64_t>(sizeof(TokenRow)));
  const bool whole = whole_runs<kRun>(args.hidden, args.output_gradient, args.table_gradient);
  for (int64_t first = 0; first < args.rows; first += most) {
    Piece piece{args, static_cast<TokenRow*>(where.scratch)};
    piece.args.tokens += first;
    piece.args.output_gradient += first * args.hidden;
    piece.args.rows = std::min(most, args.rows - first);
    const int64_t sort_blocks = divided_up(piece.args.rows, kThreads / 32 * kRowsOfWarp);
    Status status =
        launch(sort_rows_kernel, {dim3(static_cast<unsigned>(sort_blocks)), dim3(kThreads)}, piece, where);
    if (status != 0) return status;
    const Grid grid{dim3(static_cast<unsigned>(piece.args.rows),
                         static_cast<unsigned>(divided_up(args.hidden, kThreads * kRun))),
                    dim3(kThreads)};
    status = launch(whole ? add_rows_kernel<true> : add_rows_kernel<false>, grid, piece, where);
    if (status != 0) return status;
  }
  return 0;
}

}  // namespace msn::kernels
