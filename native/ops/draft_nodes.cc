// Shape checks of draft_nodes.
#include "ops/draft_nodes.h"

namespace msn {

void check(const DraftNodes& args) {
  const int64_t nodes = args.tokens.shape[0];
  const int64_t depth = args.guesses.shape[0];
  check_tensor(args.known, Dtype::kI32, {args.known.shape[0]}, "draft_nodes.known");
  check_tensor(args.known_count, Dtype::kI32, {1}, "draft_nodes.known_count");
  check_tensor(args.guesses, Dtype::kI32, {depth, args.guesses.shape[1]}, "draft_nodes.guesses");
  check_tensor(args.known_rows, Dtype::kI32, {1}, "draft_nodes.known_rows");
  check(static_cast<bool>(args.match) == static_cast<bool>(args.continuation),
        "expected a continuation with a match", "draft_nodes.continuation");
  if (args.match) {
    check_tensor(args.match, Dtype::kI32, {2}, "draft_nodes.match");
    check_tensor(args.continuation, Dtype::kI32, {depth}, "draft_nodes.continuation");
  }
  check(args.guesses.shape[1] <= args.width, "expected a width of at least a row of guesses",
        "draft_nodes.width");
  check_tensor(args.depths, Dtype::kI32, {nodes}, "draft_nodes.depths");
  check_tensor(args.columns, Dtype::kI32, {nodes}, "draft_nodes.columns");
  check(nodes >= 1, "expected at least the root", "draft_nodes.tokens");
  check_tensor(args.seed, Dtype::kU8, {static_cast<int64_t>(sizeof(uint64_t))}, "draft_nodes.seed");
  check_tensor(args.tokens, Dtype::kI32, {nodes}, "draft_nodes.tokens");
  check_tensor(args.positions, Dtype::kI32, {nodes}, "draft_nodes.positions");
  check_tensor(args.sources, Dtype::kI32, {nodes}, "draft_nodes.sources");
}

}  // namespace msn
