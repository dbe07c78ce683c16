#include "kernels/draft_nodes.h"

#include "harness.h"
#include "ops/draft_nodes.h"

namespace msn::kernels::testing {
namespace {

struct Drafts {
  int32_t known_count = 9;
  int32_t known_rows = 2;
  int32_t match_length = 3;
  bool retrieves = true;
  uint64_t seed = (uint64_t{5} << 32) + 3;
};

void compare_with_cpu(Check& check, int64_t nodes, const Drafts& drafts) {
  constexpr int64_t kDepth = 6, kRowSize = 7;
  constexpr int32_t kWidth = 10;
  Random& random = check.random();
  std::vector<int32_t> known = random.integers(40, 0, 999),
                       guesses = random.integers(kDepth * kRowSize, 0, 999),
                       continuation = random.integers(kDepth, 0, 999),
                       depths = random.integers(nodes, 0, kDepth),
                       columns = random.integers(nodes, 0, kWidth), known_count{drafts.known_count},
                       known_rows{drafts.known_rows}, match{drafts.match_length, 4}, tokens(nodes, -7),
                       positions(nodes, -7), sources(nodes, -7);
  std::vector<uint64_t> seed{drafts.seed};
  depths[0] = 0;
  const DeviceArray<int32_t> known_array(check, known), guess_array(check, guesses),
      continuation_array(check, continuation), depth_array(check, depths), column_array(check, columns),
      count_array(check, known_count), row_array(check, known_rows), match_array(check, match),
      token_array(check, tokens), position_array(check, positions), source_array(check, sources);
  const DeviceArray<uint64_t> seed_array(check, seed);
  check.launch(draft_nodes, DraftNodes{.known = known_array.data(),
                                       .known_count = count_array.data(),
                                       .guesses = guess_array.data(),
                                       .known_rows = row_array.data(),
                                       .match = drafts.retrieves ? match_array.data() : nullptr,
                                       .continuation = drafts.retrieves ? continuation_array.data() : nullptr,
                                       .depths = depth_array.data(),
                                       .columns = column_array.data(),
                                       .seed = seed_array.data(),
                                       .tokens = token_array.data(),
                                       .positions = position_array.data(),
                                       .sources = source_array.data(),
                                       .nodes = nodes,
                                       .row_size = kRowSize,
                                       .width = kWidth});
  check.cpu().run(
      msn::DraftNodes{.known = tensor(known, {40}),
                      .known_count = tensor(known_count, {1}),
                      .guesses = tensor(guesses, {kDepth, kRowSize}),
                      .known_rows = tensor(known_rows, {1}),
                      .match = drafts.retrieves ? tensor(match, {2}) : Tensor(),
                      .continuation = drafts.retrieves ? tensor(continuation, {kDepth}) : Tensor(),
                      .depths = tensor(depths, {nodes}),
                      .columns = tensor(columns, {nodes}),
                      .width = kWidth,
                      .seed = bytes_of(seed),
                      .tokens = tensor(tokens, {nodes}),
                      .positions = tensor(positions, {nodes}),
                      .sources = tensor(sources, {nodes})});
  const std::string what = std::to_string(nodes) + " nodes: ";
  check.same(token_array.read(), tokens, what + "tokens");
  check.same(position_array.read(), positions, what + "positions");
  check.same(source_array.read(), sources, what + "sources");
}

const Test like_cpu("draft_nodes", [](Check& check) {
  for (const int64_t nodes : {1, 2, 69, 300}) {
    compare_with_cpu(check, nodes, {});
    compare_with_cpu(check, nodes, {.known_count = 1, .known_rows = 0});
    compare_with_cpu(check, nodes, {.known_count = 40, .known_rows = 6, .match_length = 0});
    compare_with_cpu(check, nodes, {.retrieves = false, .seed = 0});
  }
});

}  // namespace
}  // namespace msn::kernels::testing
