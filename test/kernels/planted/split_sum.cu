// A kernel with everything in it that can be forgotten, for scripts/planted-bugs.cjs, which takes out or
// bends one line at a time and shows that the shim notices. As it stands it is right.
//
// y[row] = sum over k of a[row, k] * b[k]. A block sums one part of a row, fetched to shared memory tile by
// tile, the next tile on its way while one is summed; the block that comes last adds the parts in order.
#include <cmath>
#include <vector>

#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "test/kernels/planted/program.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kTile = 4 * kThreads;

struct SplitSum {
  const float* a;  // [rows, width]
  const float* b;  // [width]
  float* parts;    // [rows, splits]
  float* y;        // [rows]
  int64_t rows;
  int64_t width;  // a multiple of 4
  int64_t splits;
  uint32_t* tickets;  // [rows]
};

__global__ void __launch_bounds__(kThreads) split_sum_kernel(const SplitSum args) {
  wait_for_inputs();
  float* const tiles = shared_memory<float>();  // [2, kTile]
  float* const sums = tiles + 2 * kTile;        // [warps]
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  const int64_t row = blockIdx.x;
  const int64_t split = blockIdx.y;
  const int64_t length = divided_up(args.width, 4 * args.splits) * 4;
  const int64_t first = split * length;
  const int64_t end = first + length < args.width ? first + length : args.width;
  const int64_t tile_count = end > first ? divided_up(end - first, kTile) : 0;

  const auto fetch = [&](int64_t tile) {
    const int64_t column = first + tile * kTile + 4 * thread;
    copy_16_async(tiles + tile % 2 * kTile + 4 * thread, args.a + row * args.width + column, column < end);
    commit_copies();
  };
  float sum = 0;
  fetch(0);
  for (int64_t tile = 0; tile < tile_count; ++tile) {
    fetch(tile + 1);
    wait_for_copies<1>();
    __syncthreads();  // the tile is there, all threads' copies of it
    for (int i = thread; i < kTile; i += kThreads) {
      const int64_t column = first + tile * kTile + i;
      if (column < end) sum = fmaf(tiles[tile % 2 * kTile + i], args.b[column], sum);
    }
    __syncthreads();  // the tile may be overwritten
  }
  wait_for_copies<0>();

  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(kWholeWarp, sum, distance);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();  // all warps' sums are there
  if (thread != 0) return;
  float part = 0;
  for (int w = 0; w < kThreads / 32; ++w) part += sums[w];
  args.parts[row * args.splits + split] = part;
  __threadfence();  // the part is there before the ticket
  if (atomicAdd(&args.tickets[row], 1u) != args.splits - 1) return;
  __threadfence();  // the other blocks' parts are seen
  float total = 0;
  for (int64_t s = 0; s < args.splits; ++s) total += args.parts[row * args.splits + s];
  args.y[row] = total;
  atomicExch(&args.tickets[row], 0u);
}

// The host's part, through DeviceFunctions, as the engine does it.
struct Test : Program {
  int run() {
    const int64_t rows = 5;
    const int64_t width = 5204;
    const int64_t splits = 3;
    std::vector<float> a(static_cast<size_t>(rows * width));
    std::vector<float> b(static_cast<size_t>(width));
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) - 7;
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 13) - 5;

    const auto allocate = [&](int64_t bytes) {
      void* memory = nullptr;
      checked(device.allocate(&memory, bytes));
      return memory;
    };
    SplitSum args{.rows = rows, .width = width, .splits = splits};
    float* const a_memory = static_cast<float*>(allocate(rows * width * 4));
    float* const b_memory = static_cast<float*>(allocate(width * 4));
    args.parts = static_cast<float*>(allocate(rows * splits * 4));
    args.y = static_cast<float*>(allocate(rows * 4));
    args.tickets = static_cast<uint32_t*>(allocate(rows * 4));
    args.a = a_memory;
    args.b = b_memory;
    checked(device.copy_from_host(a_memory, a.data(), rows * width * 4, where.stream));
    checked(device.copy_from_host(b_memory, b.data(), width * 4, where.stream));
    checked(device.fill(args.tickets, 0, rows * 4, where.stream));
    const Grid grid{dim3(rows, splits), dim3(kThreads), (2 * kTile + kThreads / 32) * 4};
    for (int run = 0; run < 3; ++run) {
      std::vector<float> y(static_cast<size_t>(rows));
      checked(device.fill(args.y, 0xFF, rows * 4, where.stream));
      checked(launch(split_sum_kernel, grid, args, where));
      checked(device.copy_to_host(y.data(), args.y, rows * 4, where.stream));
      checked(device.synchronize(where.stream));
      for (int64_t row = 0; row < rows; ++row) {
        double expected = 0;  // whole numbers: exact in any order
        for (int64_t k = 0; k < width; ++k)
          expected += double{a[static_cast<size_t>(row * width + k)]} * b[static_cast<size_t>(k)];
        failures += !(y[static_cast<size_t>(row)] == expected);
      }
    }
    for (void* memory :
         {static_cast<void*>(a_memory), static_cast<void*>(b_memory), static_cast<void*>(args.parts),
          static_cast<void*>(args.y), static_cast<void*>(args.tickets)})
      checked(device.release(memory));
    return verdict();
  }
};

}  // namespace
}  // namespace msn::kernels

int main() { return msn::kernels::Test().run(); }
