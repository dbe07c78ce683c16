#include "kernels/sample_tokens.h"

#include <cmath>

#include "base/sampling.h"
#include "draft_trees.h"
#include "harness.h"
#include "ops/sample_tokens.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, std::vector<float> logits, int64_t nodes, SamplingOptions sampling) {
  const int64_t vocabulary = static_cast<int64_t>(logits.size()) / nodes;
  Random& random = check.random();
  DraftTree tree = random_tree(random, nodes, 5);
  std::vector<int32_t> tokens = random.integers(nodes, 0, static_cast<int32_t>(vocabulary) - 1),
                       known_count{static_cast<int32_t>(random.integer(1, 100000))}, choices(nodes, -7);
  std::vector<uint8_t> is_known;
  for (int64_t token = 0; token < vocabulary; ++token) is_known.push_back(random.integer(0, 3) == 0);
  sampling.seed = random.bits();
  std::vector<SamplingOptions> options{sampling};
  const DeviceArray<float> logit_array(check, logits);
  const DeviceArray<int32_t> token_array(check, tokens), parent_array(check, tree.parents),
      depth_array(check, tree.depths), count_array(check, known_count), choice_array(check, choices);
  const DeviceArray<uint8_t> known_array(check, is_known);
  const DeviceArray<SamplingOptions> option_array(check, options);
  check.launch(sample_tokens, SampleTokens{.logits = logit_array.data(),
                                           .tokens = token_array.data(),
                                           .parents = parent_array.data(),
                                           .depths = depth_array.data(),
                                           .known_count = count_array.data(),
                                           .is_known = known_array.data(),
                                           .options = option_array.data(),
                                           .choices = choice_array.data(),
                                           .nodes = nodes,
                                           .vocabulary = vocabulary});
  check.cpu().run(msn::SampleTokens{.logits = tensor(logits, {nodes, vocabulary}),
                                    .tokens = tensor(tokens, {nodes}),
                                    .parents = tensor(tree.parents, {nodes}),
                                    .depths = tensor(tree.depths, {nodes}),
                                    .known_count = tensor(known_count, {1}),
                                    .is_known = bytes_of(is_known),
                                    .options = bytes_of(options),
                                    .choices = tensor(choices, {nodes})});
  check.same(choice_array.read(), choices,
             "vocabulary " + std::to_string(vocabulary) + ", temperature " +
                 std::to_string(sampling.temperature) + ", top-k " + std::to_string(sampling.top_k) +
                 ", top-p " + std::to_string(sampling.top_p) + ", min-p " + std::to_string(sampling.min_p));
}

const std::vector<SamplingOptions> kAllOptions = {
    {.temperature = 1},
    {.repetition_penalty = 1.3},
    {.temperature = 0.7, .top_k = 5},
    {.temperature = 0.7, .top_k = 100000, .repetition_penalty = 0.8},
    {.temperature = 1.5, .top_p = 0.9},
    {.temperature = 1, .top_p = 1e-9},
    {.temperature = 1, .min_p = 0.1},
    {.temperature = 1, .min_p = 1},
    {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.02, .repetition_penalty = 1.1},
    {.temperature = 1e-300},
    {.temperature = 1e300, .top_p = 0.5},
};

// Under sanitizers one that penalises and one that does everything.
std::vector<SamplingOptions> options_for(const Check& check) {
  return check.tiny() ? std::vector<SamplingOptions>{kAllOptions[1], kAllOptions[8]} : kAllOptions;
}

const Test like_cpu("sample_tokens", [](Check& check) {
  const int64_t nodes = check.tiny() ? 2 : 6;
  for (const SamplingOptions& options : options_for(check)) {
    compare_with_cpu(check, check.random().normal(nodes * 50, 3), nodes, options);
    compare_with_cpu(check, check.random().normal(nodes * 1, 3), nodes, options);
    compare_with_cpu(check, check.random().normal(2 * 96, 3), 2, options);  // whole runs
    if (!check.tiny()) compare_with_cpu(check, check.random().normal(3 * 1001, 2), 3, options);
  }
});

const Test oddities("sample_tokens of odd logits", [](Check& check) {
  const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 3.4e38f, -3.4e38f, 1e-45f};
  for (const SamplingOptions& options : options_for(check)) {
    std::vector<float> mixed, finite;
    for (int i = 0; i < 4 * 20; ++i) {
      mixed.push_back(odd[check.random().integer(0, 7)]);
      finite.push_back(odd[check.random().integer(3, 7)]);
    }
    compare_with_cpu(check, mixed, 4, options);
    compare_with_cpu(check, finite, 4, options);
    compare_with_cpu(check, std::vector<float>(2 * 20, -INFINITY), 2, options);
    compare_with_cpu(check, std::vector<float>(2 * 20, NAN), 2, options);
  }
});

// More equal and nearly equal logits than a block compares with each other: ids and low bits decide.
const Test crowds("sample_tokens of crowded logits", [](Check& check) {
  if (check.tiny()) return;
  const int64_t vocabulary = 5000;
  std::vector<float> close = check.random().normal(2 * vocabulary, 1e-6f);
  for (const SamplingOptions& options : kAllOptions) {
    compare_with_cpu(check, std::vector<float>(2 * vocabulary, 0.5f), 2, options);
    compare_with_cpu(check, close, 2, options);
  }
});

// The arithmetic that every engine shares: near the exponential, and never rising, around every power of two
// and anywhere.
const Test weights("weights of sample_tokens", [](Check& check) {
  check.require(sampling::weight(0) == sampling::kFullWeight, "the most probable token has another weight");
  check.require(sampling::weight(sampling::kFarthest) == 0, "the farthest token has a weight");
  const auto hold = [&](uint32_t first, uint32_t count) {
    for (uint32_t distance = first; distance < first + count; ++distance) {
      const double exact = std::exp(distance * -0x1p-26) * 0x1p40;
      const double found = static_cast<double>(sampling::weight(distance));
      check.require(std::abs(found - exact) <= exact * 0x1p-28 + 1,
                    "the weight at " + std::to_string(distance) + " is not its exponential");
      check.require(sampling::weight(distance + 1) <= sampling::weight(distance),
                    "the weight rises at " + std::to_string(distance));
    }
  };
  for (int power = 1; power < 40; ++power)
    hold(static_cast<uint32_t>(power * std::log(2.0) * 0x1p26) - 200, 400);
  for (int i = 0; i < 200; ++i) hold(static_cast<uint32_t>(check.random().integer(0, 2000000000)), 200);
});

const Test large("sample_tokens of a large vocabulary", [](Check& check) {
  if (check.tiny()) return;
  compare_with_cpu(check, check.random().normal(70000, 3), 1, kAllOptions[0]);
  compare_with_cpu(check, check.random().normal(70000, 3), 1, kAllOptions[8]);
});

}  // namespace
}  // namespace msn::kernels::testing
