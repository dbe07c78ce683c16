// Rows sources[j] of every block of the cache [blocks, capacity, head_dim] move to first_row + j. One thread
// owns a few columns of a block and moves them row by row: a target never lies behind its own source nor
// before an earlier one, so a row has moved, or was read, before it is written over.
#include "kernels/kv_compact.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kAhead = 8;  // rows read before the first of them is written

// Unit: what a thread owns of a row.
template <class Unit>
__global__ void __launch_bounds__(kThreads) kv_compact_kernel(const KvCompact args) {
  wait_for_inputs();
  let_next_start();
  const int64_t units =
      args.head_dim * static_cast<int64_t>(sizeof(Bf16)) / static_cast<int64_t>(sizeof(Unit));
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= args.blocks * units) return;
  const int64_t rows = args.count != nullptr ? args.count[0] : args.rows;
  const int64_t first_row = args.first_row[0];
  Unit* const column =
      reinterpret_cast<Unit*>(args.cache) + index / units * args.capacity * units + index % units;
  for (int64_t j = 0; j < rows; j += kAhead) {
    Unit moving[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (j + i < rows) moving[i] = column[args.sources[j + i] * units];
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (j + i < rows) column[(first_row + j + i) * units] = moving[i];
  }
}

}  // namespace

Status kv_compact(const KvCompact& args, const Launch& where) {
  const int64_t row_bytes = args.head_dim * static_cast<int64_t>(sizeof(Bf16));
  const bool wide = row_bytes % 16 == 0 && reinterpret_cast<uintptr_t>(args.cache) % 16 == 0;
  const int64_t threads = args.blocks * (row_bytes / (wide ? 16 : 2));
  if (threads == 0 || args.rows == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(divided_up(threads, kThreads))), dim3(kThreads)};
  return launch(wide ? kv_compact_kernel<uint4> : kv_compact_kernel<Bf16>, grid, args, where);
}

}  // namespace msn::kernels
