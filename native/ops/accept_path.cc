// Shape checks of accept_path.
#include "ops/accept_path.h"

namespace msn {

void check(const AcceptPath& args) {
  const int64_t nodes = args.tokens.shape[0];
  check(nodes >= 1 && nodes <= kMostDraftNodes, "expected 1 to 1024 nodes", "accept_path.tokens");
  check_tensor(args.parents, Dtype::kI32, {nodes}, "accept_path.parents");
  check_tensor(args.depths, Dtype::kI32, {nodes}, "accept_path.depths");
  check_tensor(args.columns, Dtype::kI32, {nodes}, "accept_path.columns");
  check_tensor(args.deepest_below, Dtype::kI32, {nodes}, "accept_path.deepest_below");
  check_tensor(args.tokens, Dtype::kI32, {nodes}, "accept_path.tokens");
  check_tensor(args.sources, Dtype::kI32, {nodes}, "accept_path.sources");
  check_tensor(args.choices, Dtype::kI32, {nodes}, "accept_path.choices");
  if (args.match) check_tensor(args.match, Dtype::kI32, {2}, "accept_path.match");
  if (args.end_tokens)
    check_tensor(args.end_tokens, Dtype::kI32, {args.end_tokens.shape[0]}, "accept_path.end_tokens");
  check_tensor(args.known, Dtype::kI32, {args.known.shape[0]}, "accept_path.known");
  for (const Tensor& number :
       {args.last_length, args.known_count, args.cache_length, args.known_rows, args.finish, args.step})
    check_tensor(number, Dtype::kI32, {1}, "accept_path: a number of the state");
  if (args.is_known)
    check_tensor(args.is_known, Dtype::kU8, {args.is_known.shape[0]}, "accept_path.is_known");
  check_tensor(args.kept_rows, Dtype::kI32, {args.kept_rows.shape[0]}, "accept_path.kept_rows");
  check_tensor(args.kept_count, Dtype::kI32, {1}, "accept_path.kept_count");
  check_tensor(args.first_row, Dtype::kI32, {1}, "accept_path.first_row");
  check_tensor(args.next_rows, Dtype::kI32, {args.next_rows.shape[0]}, "accept_path.next_rows");
  check_tensor(args.records, Dtype::kU8, {2, static_cast<int64_t>(sizeof(StepRecord))},
               "accept_path.records");
}

}  // namespace msn
