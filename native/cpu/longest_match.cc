// Place by place, from the end of the text to its beginning: the first of equally long matches is the latest.
#include "ops/longest_match.h"

#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

// Tokens in front of `end` that equal those at the end of the text, at most kLongestMatch.
int32_t matching(const int32_t* known, int64_t count, int64_t end) {
  int32_t length = 0;
  while (length < kLongestMatch && length < end && known[end - 1 - length] == known[count - 1 - length])
    ++length;
  return length;
}

}  // namespace

void run(Context&, const LongestMatch& args) {
  const int32_t* known = args.known.i32();
  const int64_t count = args.known_count.i32()[0];
  int32_t* match = args.match.as<int32_t>();
  match[0] = match[1] = 0;
  for (int64_t end = count - 1; end > 0 && match[0] < kLongestMatch; --end) {
    const int32_t length = matching(known, count, end);
    if (length < args.min_match || length <= match[0]) continue;
    match[0] = length;
    match[1] = static_cast<int32_t>(end);
  }
  if (match[0] == 0) return;
  int32_t* continuation = args.continuation.as<int32_t>();
  for (int64_t i = 0; i < args.continuation.shape[0]; ++i) {
    const int64_t place = match[1] + i;
    continuation[i] = place < count ? known[place] : continuation[place - count];
  }
}

}  // namespace msn::cpu::MSN_ISA
