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

// Where a token is read, and what it is called.
struct Cell {
  const int32_t* token;
  DraftSource source;
};

__global__ void __launch_bounds__(kThreads) draft_nodes_kernel(const DraftNodes args) {
  wait_for_inputs();
  let_next_start();
  const int64_t node = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (node >= args.nodes) return;
  // All that decides where the token lies, loaded at once.
  const int32_t count = args.known_count[0], known_rows = args.known_rows[0];
  const int32_t depth = args.depths[node], column = args.columns[node];
  const uint64_t seed = args.seed[0];
  const int32_t matched = args.match != nullptr ? args.match[0] : 0;

  const int32_t root = count - 1, row = depth - 1;
  const auto cell = [&]() -> Cell {
    if (depth == 0) return {args.known + root, DraftSource::kModel};
    if (column == args.width && matched > 0) return {args.continuation + row, DraftSource::kRetrieval};
    if (column < args.row_size && row < known_rows)
      return {args.guesses + row * args.row_size + column, DraftSource::kModel};
    const RandomDraw draw(seed, RandomStream::kDraftCell, static_cast<uint32_t>(count),
                          static_cast<uint32_t>(row), static_cast<uint32_t>(column));
    return {args.known + draw.bounded(static_cast<uint32_t>(count)), DraftSource::kNoise};
  };
  const Cell drafted = cell();
  args.tokens[node] = *drafted.token;
  args.sources[node] = static_cast<int32_t>(drafted.source);
  args.positions[node] = root + depth;
}

}  // namespace

Status draft_nodes(const DraftNodes& args, const Launch& where) {
  const Grid grid{dim3(static_cast<unsigned>(divided_up(args.nodes, kThreads))), dim3(kThreads)};
  return launch(draft_nodes_kernel, grid, args, where);
}

}  // namespace msn::kernels
