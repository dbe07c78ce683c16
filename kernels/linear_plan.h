// How `linear` deals a weight out to blocks: a function of the weight's shape and the device alone, never of
// the number of rows, because it fixes the order of every sum.
//
// A tile is `tile_rows` weight rows times all inputs; it is cut into `chunks` along the inputs. Where all
// tiles can be worked on at a time, each belongs to a cluster of 1, 2, 4 or 8 blocks, which take equal shares
// of its inputs and add their sums through each other's shared memory. Else all chunks, tile after tile, are
// dealt to the blocks ("workers") in equal shares of consecutive chunks; a tile that several workers share is
// summed through global memory, segment by segment in the order of the inputs ("stream-K", arXiv 2301.03598).
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/philox.h"  // MSN_HOST_DEVICE
#include "kernels/launch.h"

namespace msn::kernels {

constexpr int kLinearWarps = 8;         // at most, of a block
constexpr int kLinearWarpRows = 32;     // weight rows of a warp
constexpr int kLinearChunkBytes = 128;  // of a weight row, for each group of a chunk

struct LinearPlan {
  int row_warps = kLinearWarps;  // warps that stand on each other in a tile
  int groups = 1;  // groups of row_warps warps that split a chunk's inputs among them: 1, 2 or 4
  int splits = 0;  // blocks of a tile's cluster; 0: the workers' shares are consecutive chunks
  int tiles = 0;
  int chunks = 0;  // of a tile
  int workers = 0;

  // Cuts the weight into tiles and chunks, for this many row_warps and groups. `element_bytes`: 1 or 2.
  constexpr void cut(int64_t outputs, int64_t inputs, int element_bytes) {
    const int64_t width = kLinearChunkBytes / element_bytes * groups;
    tiles = static_cast<int>((outputs + tile_rows() - 1) / tile_rows());
    chunks = static_cast<int>((inputs + width - 1) / width);
  }
  MSN_HOST_DEVICE constexpr int tile_rows() const { return row_warps * kLinearWarpRows; }
  MSN_HOST_DEVICE constexpr int warps() const { return row_warps * groups; }
  MSN_HOST_DEVICE constexpr int64_t all_chunks() const { return static_cast<int64_t>(tiles) * chunks; }
  // The first chunk of a worker's share; of `workers`: the number of all chunks.
  MSN_HOST_DEVICE constexpr int64_t share(int worker) const { return worker * all_chunks() / workers; }
  // Whose share a chunk is: the last worker whose share begins at or before it.
  MSN_HOST_DEVICE constexpr int worker_of(int64_t chunk) const {
    return static_cast<int>(((chunk + 1) * workers - 1) / all_chunks());
  }
};

// Microseconds that a plan takes for a tree of 64 rows, estimated from what an H100's memory, second-level
// cache and multiprocessors are said to deliver; it only has to rank plans.
constexpr double estimated_time(const LinearPlan& plan, int64_t outputs, int64_t inputs, int element_bytes) {
  constexpr double kRows = 64;
  constexpr double kMemory = 4.3e6, kCache = 5.5e6, kWarp = 5e3, kNeighbour = 50e3;  // bytes a microsecond
  const double weight = static_cast<double>(outputs * inputs * element_bytes);
  const double activations = 2.0 * kRows * static_cast<double>(plan.tiles * inputs);
  const double sums = 4.0 * kRows * plan.tile_rows();  // of a tile
  const double time = std::max(
      {weight / kMemory, (weight + activations) / kCache, weight / (plan.workers * plan.warps() * kWarp)});
  if (plan.splits == 1) return time;
  if (plan.splits > 1) return time + 1 + sums / kNeighbour;
  // Two partial tiles a worker are written and read when nothing else hides them.
  return time + 2 + 4 * plan.workers * sums / kCache;
}

// `element_bytes`: of the weight, 1 or 2.
constexpr LinearPlan plan_linear(int64_t outputs, int64_t inputs, int element_bytes,
                                 const DeviceFacts& device) {
  const int most_groups = 2 * element_bytes;  // their activations fit into shared memory
  LinearPlan best;
  double least = 0;
  for (int row_warps = kLinearWarps; row_warps > 0; --row_warps) {
    LinearPlan plan;
    plan.row_warps = row_warps;
    while (plan.groups < most_groups && 2 * plan.warps() <= kLinearWarps) plan.groups *= 2;
    plan.cut(outputs, inputs, element_bytes);
    const auto consider = [&] {
      const double time = estimated_time(plan, outputs, inputs, element_bytes);
      if (best.workers > 0 && time >= least) return;
      best = plan;
      least = time;
    };
    for (int log = 0; log < 4; ++log) {
      plan.splits = 1 << log;
      plan.workers = plan.tiles * plan.splits;
      const int at_a_time = log == 0 ? device.multiprocessors : device.clusters[log];
      if (plan.tiles <= at_a_time && plan.workers <= device.multiprocessors && plan.splits <= plan.chunks)
        consider();
    }
    plan.splits = 0;
    plan.workers = static_cast<int>(std::min<int64_t>(plan.all_chunks(), device.multiprocessors));
    consider();
  }
  return best;
}

}  // namespace msn::kernels
