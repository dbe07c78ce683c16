// How `linear` deals a weight out to blocks: a function of the weight's shape and the device alone, never of
// the number of rows, because it fixes the order of every sum.
//
// A tile is `tile_rows` weight rows times all inputs; it is cut into `chunks` along the inputs. All chunks,
// tile after tile, are dealt to the blocks ("workers") in equal shares of consecutive chunks, so that every
// multiprocessor streams the same number of bytes. A tile that several workers share is summed segment by
// segment in the order of the inputs ("stream-K", arXiv 2301.03598).
#pragma once
#include <cstdint>

#include "base/philox.h"  // MSN_HOST_DEVICE

namespace msn::kernels {

struct LinearPlan {
  int groups = 1;       // groups of warps that split a chunk's inputs among them: 1, 2 or 4
  int tile_rows = 256;  // weight rows of a tile
  int tiles = 0;
  int chunks = 0;  // of a tile
  int workers = 0;

  MSN_HOST_DEVICE constexpr int64_t all_chunks() const { return static_cast<int64_t>(tiles) * chunks; }
  // The first chunk of a worker's share; of `workers`: the number of all chunks.
  MSN_HOST_DEVICE constexpr int64_t share(int worker) const { return worker * all_chunks() / workers; }
  // Whose share a chunk is: the last worker whose share begins at or before it.
  MSN_HOST_DEVICE constexpr int worker_of(int64_t chunk) const {
    return static_cast<int>(((chunk + 1) * workers - 1) / all_chunks());
  }
};

constexpr int kLinearWarps = 8;
constexpr int kLinearWarpRows = 32;  // weight rows of a warp
constexpr int kLinearTileRows = kLinearWarps * kLinearWarpRows;

// `chunk_inputs`: inputs of a chunk for one group. `most_groups`: what the shared memory allows.
constexpr LinearPlan plan_linear(int64_t outputs, int64_t inputs, int64_t chunk_inputs, int most_groups,
                                 int multiprocessors) {
  // High tiles read the activations of few blocks' tiles, low tiles leave few partial sums at the end of a
  // share. Bytes that cross the second-level cache for a tree of 64 rows; partial sums are written and read
  // when nothing else hides them, so they count twice.
  constexpr int64_t kRows = 64;
  LinearPlan plan;
  int64_t least = INT64_MAX;
  for (int groups = 1; groups <= most_groups; groups *= 2) {
    const int64_t tile_rows = kLinearTileRows / groups;
    const int64_t activations = outputs * inputs / tile_rows * kRows * 2;
    const int64_t partial_sums = 2 * 2 * multiprocessors * tile_rows * kRows * 4;
    if (activations + partial_sums >= least) continue;
    least = activations + partial_sums;
    plan.groups = groups;
    plan.tile_rows = static_cast<int>(tile_rows);
  }
  const int64_t width = chunk_inputs * plan.groups;
  plan.tiles = static_cast<int>((outputs + plan.tile_rows - 1) / plan.tile_rows);
  plan.chunks = static_cast<int>((inputs + width - 1) / width);
  const int64_t all = plan.all_chunks();
  plan.workers = static_cast<int>(all < multiprocessors ? all : multiprocessors);
  return plan;
}

}  // namespace msn::kernels
