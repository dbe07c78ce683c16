#include "kernels/longest_match.h"

#include <algorithm>

#include "harness.h"
#include "ops/longest_match.h"

namespace msn::kernels::testing {
namespace {

// Of every count in `counts` of the known tokens; returns how many had a match.
int compare_with_cpu(Check& check, std::vector<int32_t> known, const std::vector<int32_t>& counts,
                     int32_t min_match, int64_t depth) {
  const int64_t capacity = static_cast<int64_t>(known.size());
  const DeviceArray<int32_t> known_array(check, known);
  int matches = 0;
  for (const int32_t count : counts) {
    std::vector<int32_t> known_count{count}, match{-7, -7}, continuation(depth, -7);
    const DeviceArray<int32_t> count_array(check, known_count);
    const DeviceArray<int32_t> match_array(check, match);
    const DeviceArray<int32_t> continuation_array(check, continuation);
    check.launch(longest_match, LongestMatch{.known = known_array.data(),
                                             .known_count = count_array.data(),
                                             .match = match_array.data(),
                                             .continuation = continuation_array.data(),
                                             .capacity = capacity,
                                             .depth = depth,
                                             .min_match = min_match});
    check.cpu().run(msn::LongestMatch{.known = tensor(known, {capacity}),
                                      .known_count = tensor(known_count, {1}),
                                      .min_match = min_match,
                                      .match = tensor(match, {2}),
                                      .continuation = tensor(continuation, {depth})});
    const std::string what = std::to_string(count) + " of " + std::to_string(capacity) + " tokens";
    check.same(match_array.read(), match, what + ": match");
    check.same(continuation_array.read(), continuation, what + ": continuation");
    matches += match[0] > 0;
  }
  return matches;
}

const Test short_texts("longest_match", [](Check& check) {
  int matches = 0;
  for (const int32_t alphabet : {1, 2, 5}) {
    const std::vector<int32_t> known = check.random().integers(60, 0, alphabet - 1);
    for (const int32_t min_match : {1, 2, 16})
      matches += compare_with_cpu(check, known, {0, 1, 2, 3, 17, 18, 60}, min_match, 5);
  }
  check.require(matches > 20, "too few texts have a match");
});

// Pieces for several blocks; the longest match in the first, in the last, and equally long ones in both.
const Test long_texts("longest_match of a long text", [](Check& check) {
  const int64_t length = check.tiny() ? 5000 : 20000;
  std::vector<int32_t> known = check.random().integers(length, 100, 30000);
  const std::vector<int32_t> phrase{1, 2, 3, 4, 5, 6, 7};
  const auto put = [&](int64_t at, size_t from) {
    std::copy(phrase.begin() + from, phrase.end(), known.begin() + at);
  };
  const std::vector<int32_t> all{static_cast<int32_t>(length)};
  put(length - 7, 0);
  put(4093, 1);  // across the border of two blocks' pieces
  check.require(compare_with_cpu(check, known, all, 2, 9) == 1, "expected a match");
  put(length - 60, 1);
  check.require(compare_with_cpu(check, known, all, 2, 9) == 1, "expected a match");
  put(10, 0);
  check.require(compare_with_cpu(check, known, all, 2, 32) == 1, "expected a match");
  check.require(compare_with_cpu(check, known, all, 8, 3) == 0, "expected no match");
  check.require(compare_with_cpu(check, known, {17}, 2, 3) == 0, "expected no match");
});

}  // namespace
}  // namespace msn::kernels::testing
