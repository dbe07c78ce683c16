// A decode step recorded as a graph and replayed: retrieval, drafts, sampling, acceptance, compaction and the
// next table, one kernel behind another on device memory, with no look from the host between the steps.
#include <algorithm>

#include "draft_trees.h"
#include "harness.h"
#include "kernels/accept_path.h"
#include "kernels/draft_nodes.h"
#include "kernels/kv_compact.h"
#include "kernels/longest_match.h"
#include "kernels/sample_tokens.h"
#include "kernels/top_k.h"
#include "ops/accept_path.h"
#include "ops/draft_nodes.h"
#include "ops/kv_compact.h"
#include "ops/longest_match.h"
#include "ops/sample_tokens.h"
#include "ops/top_k.h"

namespace msn::kernels::testing {
namespace {

constexpr int64_t kNodes = 20, kDepth = 4, kWidth = 6, kVocabulary = 5, kGuesses = kVocabulary,
                  kCapacity = 200, kBlocks = 3, kRow = 8, kPrompt = 6, kLastLength = 120;
constexpr int kSteps = 15;

// What a step reads and writes, on the host.
struct State {
  explicit State(Random& random)
      : tree(random_tree(random, kNodes, kDepth)),
        logits(random.normal(kNodes * kVocabulary, 1.0f)),
        cache(random.normal_bf16(kBlocks * kCapacity * kRow)) {
    for (int32_t& column : tree.columns) column %= kWidth + 1;
    const std::vector<int32_t> prompt = random.integers(kPrompt, 0, kVocabulary - 1);
    std::copy(prompt.begin(), prompt.end(), known.begin());
  }
  DraftTree tree;
  std::vector<float> logits;
  std::vector<Bf16> cache;
  std::vector<int32_t> known = std::vector<int32_t>(kLastLength, 0);
  // known_count, cache_length, known_rows, finish, step, kept_count, first_row
  std::vector<int32_t> numbers = {kPrompt, kPrompt - 1, 0, 0, 0, 0, 0};
  std::vector<int32_t> match = {0, 0}, continuation = std::vector<int32_t>(kDepth, 0),
                       guesses = std::vector<int32_t>(kDepth * kGuesses, 0),
                       tokens = std::vector<int32_t>(kNodes, 0), positions = tokens, sources = tokens,
                       choices = tokens, kept_rows = std::vector<int32_t>(kDepth + 1, 0),
                       next_rows = std::vector<int32_t>(kDepth, 0);
  std::vector<SamplingOptions> sampling{{.temperature = 1, .top_p = 0.9, .seed = 17}};
  std::vector<uint64_t> noise_seed{18};
  std::vector<int32_t> last_length{kLastLength};
  std::vector<uint8_t> is_known = std::vector<uint8_t>(kVocabulary, 0);
  std::vector<uint8_t> records = std::vector<uint8_t>(2 * sizeof(StepRecord), 0);
};

void step_on_cpu(Backend& cpu, State& s) {
  const auto number = [&](int i) { return Tensor(s.numbers.data() + i, Dtype::kI32, {1}); };
  const Tensor known = tensor(s.known, {kLastLength}), match = tensor(s.match, {2}),
               continuation = tensor(s.continuation, {kDepth}), tokens = tensor(s.tokens, {kNodes}),
               parents = tensor(s.tree.parents, {kNodes}), depths = tensor(s.tree.depths, {kNodes}),
               columns = tensor(s.tree.columns, {kNodes}), sources = tensor(s.sources, {kNodes}),
               choices = tensor(s.choices, {kNodes}), logits = tensor(s.logits, {kNodes, kVocabulary}),
               next_rows = tensor(s.next_rows, {kDepth});
  cpu.run(msn::LongestMatch{.known = known,
                            .known_count = number(0),
                            .min_match = 2,
                            .match = match,
                            .continuation = continuation});
  cpu.run(msn::DraftNodes{.known = known,
                          .known_count = number(0),
                          .guesses = tensor(s.guesses, {kDepth, kGuesses}),
                          .known_rows = number(2),
                          .match = match,
                          .continuation = continuation,
                          .depths = depths,
                          .columns = columns,
                          .width = kWidth,
                          .seed = bytes_of(s.noise_seed),
                          .tokens = tokens,
                          .positions = tensor(s.positions, {kNodes}),
                          .sources = sources});
  cpu.run(msn::SampleTokens{.logits = logits,
                            .tokens = tokens,
                            .parents = parents,
                            .depths = depths,
                            .known_count = number(0),
                            .is_known = bytes_of(s.is_known),
                            .options = bytes_of(s.sampling),
                            .choices = choices});
  cpu.run(msn::AcceptPath{
      .parents = parents,
      .depths = depths,
      .columns = columns,
      .deepest_below = tensor(s.tree.deepest_below, {kNodes}),
      .tokens = tokens,
      .sources = sources,
      .choices = choices,
      .match = match,
      .last_length = tensor(s.last_length, {1}),
      .known = known,
      .known_count = number(0),
      .cache_length = number(1),
      .known_rows = number(2),
      .finish = number(3),
      .step = number(4),
      .kept_rows = tensor(s.kept_rows, {kDepth + 1}),
      .kept_count = number(5),
      .first_row = number(6),
      .next_rows = next_rows,
      .records = Tensor(s.records.data(), Dtype::kU8, {2, static_cast<int64_t>(sizeof(StepRecord))})});
  cpu.run(msn::KvCompact{.cache = tensor(s.cache, {kBlocks, kCapacity, kRow}),
                         .sources = tensor(s.kept_rows, {kDepth + 1}),
                         .first_row = number(6),
                         .count = number(5)});
  cpu.run(msn::TopK{
      .logits = logits, .rows = next_rows, .indices = tensor(s.guesses, {kDepth, kGuesses}), .values = {}});
}

class DeviceState {
 public:
  DeviceState(Check& check, State& host) : check_(check), host_(host) {}

  Status enqueue_step() const {
    const Launch& where = check_.where();
    int32_t* const numbers = numbers_.data();
    const Status statuses[] = {longest_match({.known = known_.data(),
                                              .known_count = numbers,
                                              .match = match_.data(),
                                              .continuation = continuation_.data(),
                                              .capacity = kLastLength,
                                              .depth = kDepth,
                                              .min_match = 2},
                                             where),
                               draft_nodes({.known = known_.data(),
                                            .known_count = numbers,
                                            .guesses = guesses_.data(),
                                            .known_rows = numbers + 2,
                                            .match = match_.data(),
                                            .continuation = continuation_.data(),
                                            .depths = depths_.data(),
                                            .columns = columns_.data(),
                                            .seed = noise_seed_.data(),
                                            .tokens = tokens_.data(),
                                            .positions = positions_.data(),
                                            .sources = sources_.data(),
                                            .nodes = kNodes,
                                            .row_size = kGuesses,
                                            .width = kWidth},
                                           where),
                               sample_tokens({.logits = logits_.data(),
                                              .tokens = tokens_.data(),
                                              .parents = parents_.data(),
                                              .depths = depths_.data(),
                                              .known_count = numbers,
                                              .is_known = is_known_.data(),
                                              .options = sampling_.data(),
                                              .choices = choices_.data(),
                                              .nodes = kNodes,
                                              .vocabulary = kVocabulary},
                                             where),
                               accept_path({.parents = parents_.data(),
                                            .depths = depths_.data(),
                                            .columns = columns_.data(),
                                            .deepest_below = deepest_below_.data(),
                                            .tokens = tokens_.data(),
                                            .sources = sources_.data(),
                                            .choices = choices_.data(),
                                            .match = match_.data(),
                                            .end_tokens = nullptr,
                                            .last_length = last_length_.data(),
                                            .known = known_.data(),
                                            .known_count = numbers,
                                            .cache_length = numbers + 1,
                                            .is_known = nullptr,
                                            .known_rows = numbers + 2,
                                            .finish = numbers + 3,
                                            .step = numbers + 4,
                                            .kept_rows = kept_rows_.data(),
                                            .kept_count = numbers + 5,
                                            .first_row = numbers + 6,
                                            .next_rows = next_rows_.data(),
                                            .records = reinterpret_cast<StepRecord*>(records_.data()),
                                            .nodes = kNodes,
                                            .ends = 0,
                                            .depth = kDepth},
                                           where),
                               kv_compact({.cache = cache_.data(),
                                           .sources = kept_rows_.data(),
                                           .first_row = numbers + 6,
                                           .count = numbers + 5,
                                           .blocks = kBlocks,
                                           .capacity = kCapacity,
                                           .head_dim = kRow,
                                           .rows = kDepth + 1},
                                          where),
                               top_k({.logits = logits_.data(),
                                      .rows = next_rows_.data(),
                                      .indices = guesses_.data(),
                                      .values = nullptr,
                                      .results = kDepth,
                                      .vocabulary = kVocabulary,
                                      .k = kGuesses},
                                     where)};
    for (const Status status : statuses)
      if (status != 0) return status;
    return 0;
  }

  // With what the host's state has become.
  void compare() const {
    check_.same(numbers_.read(), host_.numbers, "numbers");
    check_.same(known_.read(), host_.known, "known tokens");
    check_.same(tokens_.read(), host_.tokens, "drafted tokens");
    check_.same(choices_.read(), host_.choices, "choices");
    check_.same(guesses_.read(), host_.guesses, "the draft table");
    check_.same(cache_.read(), host_.cache, "the cache");
    check_.same(records_.read(), host_.records, "records");
  }

 private:
  Check& check_;
  State& host_;
  const DeviceArray<int32_t> parents_{check_, host_.tree.parents}, depths_{check_, host_.tree.depths},
      columns_{check_, host_.tree.columns}, deepest_below_{check_, host_.tree.deepest_below},
      known_{check_, host_.known}, numbers_{check_, host_.numbers}, match_{check_, host_.match},
      continuation_{check_, host_.continuation}, guesses_{check_, host_.guesses},
      tokens_{check_, host_.tokens}, positions_{check_, host_.positions}, sources_{check_, host_.sources},
      choices_{check_, host_.choices}, kept_rows_{check_, host_.kept_rows},
      next_rows_{check_, host_.next_rows}, last_length_{check_, host_.last_length};
  const DeviceArray<uint64_t> noise_seed_{check_, host_.noise_seed};
  const DeviceArray<SamplingOptions> sampling_{check_, host_.sampling};
  const DeviceArray<float> logits_{check_, host_.logits};
  const DeviceArray<Bf16> cache_{check_, host_.cache};
  const DeviceArray<uint8_t> is_known_{check_, host_.is_known}, records_{check_, host_.records};
};

const Test replayed("a decode step, recorded and replayed", [](Check& check) {
  State host(check.random());
  DeviceState device(check, host);
  const Launch& where = check.where();
  check.ok(check.device().synchronize(where.stream), "synchronize");
  check.ok(check.device().begin_capture(where.stream), "begin to record");
  const Status recorded = device.enqueue_step();
  void* graph = nullptr;
  check.ok(check.device().end_capture(where.stream, &graph), "end recording");
  check.ok(recorded, "record a step");
  const int steps = check.tiny() ? 2 : kSteps;
  for (int step = 0; step < steps; ++step)
    check.ok(check.device().launch_graph(graph, where.stream), "replay");
  check.finish(0);
  check.ok(check.device().destroy_graph(graph), "destroy the graph");
  for (int step = 0; step < steps; ++step) step_on_cpu(check.cpu(), host);
  device.compare();
  check.require(host.numbers[4] == steps, "not every step was taken");
  check.require(check.tiny() || host.numbers[0] > kPrompt + steps, "too little was accepted");
});

}  // namespace
}  // namespace msn::kernels::testing
