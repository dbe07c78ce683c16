// Lookups in the draft table, noise where nothing is known (docs/method.md).
#include "ops/draft_nodes.h"

#include "base/philox.h"
#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

struct Cell {
  int32_t token;
  DraftSource source;
};

Cell cell(const DraftNodes& args, int32_t row, int32_t column) {
  if (column == args.width && args.match && args.match.i32()[0] > 0)
    return {args.continuation.i32()[row], DraftSource::kRetrieval};
  const int64_t row_size = args.guesses.shape[1];
  if (column < row_size && row < args.known_rows.i32()[0])
    return {args.guesses.i32()[row * row_size + column], DraftSource::kModel};
  const uint32_t count = static_cast<uint32_t>(args.known_count.i32()[0]);
  const RandomDraw draw(args.seed.as<const uint64_t>()[0], RandomStream::kDraftCell, count,
                        static_cast<uint32_t>(row), static_cast<uint32_t>(column));
  return {args.known.i32()[draw.bounded(count)], DraftSource::kNoise};
}

}  // namespace

void run(Context&, const DraftNodes& args) {
  const int32_t root = args.known_count.i32()[0] - 1;
  for (int64_t node = 0; node < args.tokens.shape[0]; ++node) {
    const int32_t depth = args.depths.i32()[node];
    const Cell drafted = depth == 0 ? Cell{args.known.i32()[root], DraftSource::kModel}
                                    : cell(args, depth - 1, args.columns.i32()[node]);
    args.tokens.as<int32_t>()[node] = drafted.token;
    args.sources.as<int32_t>()[node] = static_cast<int32_t>(drafted.source);
    args.positions.as<int32_t>()[node] = root + depth;
  }
}

}  // namespace msn::cpu::MSN_ISA
