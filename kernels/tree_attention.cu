// Tree-masked attention over a cached prefix, split along the positions:
//   output[n] = sum_t softmax_t(query[n] . key[t] / sqrt(head_dim)) value[t],
// t the positions that node n sees. query [nodes, heads, head_dim]; keys, values [kv_heads, capacity,
// head_dim]. The closed part of a node's past goes through tiles of 64 positions (closed_attention.h), a
// block of threads a span; the open part is gathered along the node's path (open_attention.h); the last block
// of a tile merges (attention_merge.h). What is summed in which order follows from the node's position alone.
#include <math.h>

#include "kernels/attention_merge.h"
#include "kernels/closed_attention.h"
#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/open_attention.h"

namespace msn::kernels {
namespace {

constexpr double kLog2E = 1.44269504088896340736;

template <int kHeadDim, int kSharers>
__global__ void __launch_bounds__(kTreeThreads, (ClosedTile<kHeadDim, kSharers>::kResident))
    tree_attention_kernel(const TreeProblem problem) {
  let_next_start();  // a product follows
  wait_for_inputs();
  const TileExtent extent = tile_extent(problem);
  const int number = static_cast<int>(blockIdx.y) - problem.open_blocks;
  if (number >= extent.spans) return;  // the grid has room for a full cache
  if (number >= 0) {
    // The longest spans, which lie last, first: where blocks take turns, short ones fill up the end.
    attend_span<kHeadDim, kSharers>(problem, extent, extent.spans - 1 - number);
  } else {
    const int in_tile = static_cast<int>(blockIdx.y * kTreeWarps + threadIdx.x / 32);
    const int node = static_cast<int>(blockIdx.x) * problem.tile_nodes + in_tile;
    if (in_tile < problem.tile_nodes && node < problem.nodes) {
      if (problem.aligned)
        attend_open<kHeadDim, true>(problem, extent.prefix, problem.first_node + node);
      else
        attend_open<kHeadDim, false>(problem, extent.prefix, problem.first_node + node);
    }
  }
  uint32_t* const ticket = problem.tickets + blockIdx.z * gridDim.x + blockIdx.x;
  const unsigned blocks = static_cast<unsigned>(problem.open_blocks + extent.spans);
  if (arrives_last(ticket, blocks, shared_memory<unsigned>()))
    PartsMerge<kHeadDim, kSharers>{problem, extent.spans}.run();
}

// The most spans that a tile's nodes can see, whatever the prefix.
int most_spans(const TreeAttention& args, int64_t tile_nodes) {
  const int end = closed_end(static_cast<int>(args.capacity) - 1);
  const int64_t all = end > 0 ? span_of(end - 1) + 1 : 0;
  if (args.window == 0) return static_cast<int>(all);
  const int64_t apart = args.chain ? tile_nodes - 1 : kDeepestTreeNode;
  const int64_t seen = args.window + apart + kBlockPositions;
  return static_cast<int>(std::min(all, seen / ShortSpans::length + 2));
}

template <int kHeadDim, int kSharers>
Status launch_tiles(const TreeAttention& args, const Launch& where) {
  using Tile = ClosedTile<kHeadDim, kSharers>;
  const int64_t heads_of_key = args.heads / args.kv_heads;
  const int64_t group_heads = std::min<int64_t>(heads_of_key, kMostGroupHeads);
  const int64_t tile_nodes = Tile::kRows / group_heads;
  TreeProblem problem;
  problem.args = args;
  problem.group_heads = static_cast<int>(group_heads);
  problem.key_groups = static_cast<int>(divided_up(heads_of_key, group_heads));
  problem.tile_nodes = static_cast<int>(tile_nodes);
  problem.open_blocks = static_cast<int>(divided_up(std::min(tile_nodes, args.nodes), kTreeWarps));
  problem.span_slots = most_spans(args, tile_nodes);
  problem.aligned = rows_are_aligned(args.query, args.head_dim) &&
                    rows_are_aligned(args.keys, args.head_dim) &&
                    rows_are_aligned(args.values, args.head_dim);
  problem.scale = static_cast<float>(kLog2E / sqrt(static_cast<double>(args.head_dim)));
  problem.tickets = where.tickets;

  // As many tiles at a time as scratch memory and tickets suffice for: of all head groups, else of some.
  constexpr int64_t kRowBytes = kHeadDim * int64_t{sizeof(float)} + int64_t{sizeof(float2)};
  const int64_t groups = args.kv_heads * problem.key_groups;
  const int64_t tile_rows = std::min(tile_nodes, args.nodes) * group_heads;
  const int64_t fit =
      std::min(where.scratch_bytes / (tile_rows * (problem.span_slots + 1) * kRowBytes), kTickets);
  if (fit == 0) return cudaErrorMemoryAllocation;
  const int64_t launch_groups = std::min(groups, fit);
  const int64_t launch_nodes = fit / launch_groups * tile_nodes;
  problem.partial_outputs = static_cast<float*>(where.scratch);
  for (int64_t node = 0; node < args.nodes; node += launch_nodes)
    for (int64_t group = 0; group < groups; group += launch_groups) {
      const int64_t here = std::min(launch_groups, groups - group);
      problem.first_node = static_cast<int>(node);
      problem.nodes = static_cast<int>(std::min(launch_nodes, args.nodes - node));
      problem.first_group = static_cast<int>(group);
      const int64_t partial_rows = here * (problem.span_slots + 1) * problem.nodes * group_heads;
      problem.partial_stats = reinterpret_cast<float2*>(problem.partial_outputs + partial_rows * kHeadDim);
      const Grid grid{
          dim3(static_cast<unsigned>(divided_up(problem.nodes, tile_nodes)),
               static_cast<unsigned>(problem.open_blocks + problem.span_slots), static_cast<unsigned>(here)),
          dim3(kTreeThreads), Tile::kSharedBytes};
      const Status status = launch(tree_attention_kernel<kHeadDim, kSharers>, grid, problem, where);
      if (status != 0) return status;
    }
  return 0;
}

template <int kHeadDim>
Status launch_head_dim(const TreeAttention& args, const Launch& where) {
  constexpr int kSharers = kHeadDim <= 128 ? 1 : 2;
  return args.nodes * (args.heads / args.kv_heads) <= 16 ? launch_tiles<kHeadDim, 4>(args, where)
                                                         : launch_tiles<kHeadDim, kSharers>(args, where);
}

}  // namespace

Status tree_attention(const TreeAttention& args, const Launch& where) {
  if (args.nodes == 0) return 0;
  if (args.head_dim <= 16) return launch_head_dim<16>(args, where);
  if (args.head_dim <= 32) return launch_head_dim<32>(args, where);
  if (args.head_dim <= 64) return launch_head_dim<64>(args, where);
  if (args.head_dim <= 80) return launch_head_dim<80>(args, where);
  if (args.head_dim <= 96) return launch_head_dim<96>(args, where);
  if (args.head_dim <= 128) return launch_head_dim<128>(args, where);
  return launch_head_dim<256>(args, where);
}

}  // namespace msn::kernels
