// Shape checks of longest_match.
#include "ops/longest_match.h"

namespace msn {

void check(const LongestMatch& args) {
  check_tensor(args.known, Dtype::kI32, {args.known.shape[0]}, "longest_match.known");
  check_tensor(args.known_count, Dtype::kI32, {1}, "longest_match.known_count");
  check(args.min_match >= 1 && args.min_match <= kLongestMatch, "expected a min_match from 1 to 16",
        "longest_match.min_match");
  check_tensor(args.match, Dtype::kI32, {2}, "longest_match.match");
  check_tensor(args.continuation, Dtype::kI32, {args.continuation.shape[0]}, "longest_match.continuation");
}

}  // namespace msn
