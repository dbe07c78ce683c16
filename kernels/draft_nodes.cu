// Lookups in the draft table, one thread a node: token = table[depth - 1, column], noise where nothing is
// known (docs/method.md, points 2 to 4).
#include "base/decode_step.h"
#include "base/philox.h"
#include "kernels/draft_nodes.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 128;

struct Cell {
  int32_t token;
  DraftSource source;
};

__device__ __forceinline__ Cell cell(const DraftNodes& args, int32_t row, int32_t column) {
  if (column == args.width && args.match != nullptr && args.match[0] > 0)
    return {args.continuation[row], DraftSource::kRetrieval};
  if (column < args.row_size && row < args.known_rows[0])
    return {args.guesses[row * args.row_size + column], DraftSource::kModel};
  const uint32_t count = static_cast<uint32_t>(args.known_count[0]);
  const RandomDraw draw(args.seed[0], RandomStream::kDraftCell, count, static_cast<uint32_t>(row),
                        static_cast<uint32_t>(column));
  return {args.known[draw.bounded(count)], DraftSource::kNoise};
}

__global__ void __launch_bounds__(kThreads) draft_nodes_kernel(const DraftNodes args) {
  wait_for_inputs();
  let_next_start();
  const int64_t node = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (node >= args.nodes) return;
  const int32_t root = args.known_count[0] - 1;
  const int32_t depth = args.depths[node];
  const Cell drafted =
      depth == 0 ? Cell{args.known[root], DraftSource::kModel} : cell(args, depth - 1, args.columns[node]);
  args.tokens[node] = drafted.token;
  args.sources[node] = static_cast<int32_t>(drafted.source);
  args.positions[node] = root + depth;
}

}  // namespace

Status draft_nodes(const DraftNodes& args, const Launch& where) {
  const Grid grid{dim3(static_cast<unsigned>(divided_up(args.nodes, kThreads))), dim3(kThreads)};
  return launch(draft_nodes_kernel, grid, args, where);
}

}  // namespace msn::kernels
