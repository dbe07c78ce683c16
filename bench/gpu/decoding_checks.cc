#include "decoding_checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "program.h"
#include "runtime/decoding.h"
#include "runtime/draft_tree.h"
#include "runtime/passes.h"

namespace msn::gpu {
namespace {

// Relative to the norm of the CPU's logits: activations are rounded to bf16 a few dozen times on the way.
constexpr double kLogitTolerance = 0.03;

// A tree behind a prefix: what one step of decoding verifies.
struct Tree {
  std::vector<int32_t> prefix, tokens, parents;
};

Tree random_tree(const ModelShape& shape, int64_t prefix) {
  Tree tree;
  const DraftTree drafts(node_paths(24, 5, 10), 5, 10);
  tree.prefix = random_tokens(prefix, shape.vocabulary_size, 11);
  tree.tokens = random_tokens(drafts.nodes(), shape.vocabulary_size, 12);
  tree.parents = drafts.parents();
  return tree;
}

std::vector<float> logits_of(const Model& model, const Tree& tree) {
  return pass_logits(
      model, {.prefix = tree.prefix, .tokens = tree.tokens, .parents = tree.parents, .chunk = 64}, {});
}

// The relative error of every row that is beyond the tolerance.
std::string wrong_rows(const std::vector<float>& actual, const std::vector<float>& expected, size_t width,
                       double tolerance) {
  std::string text;
  for (size_t row = 0; row * width < expected.size(); ++row) {
    const auto part = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + row * width, all.begin() + (row + 1) * width);
    };
    const double error = relative_error(part(actual), part(expected));
    if (!(error <= tolerance)) text += formatted(" %zu (%.2e)", row, error);
  }
  return text;
}

// Where one row of logits differs from another that should have its bits; empty: nowhere.
std::string row_difference(const float* alone, const float* together, size_t width) {
  size_t different = 0, first = 0;
  double largest = 0;
  for (size_t i = width; i-- > 0;) {
    if (std::memcmp(&alone[i], &together[i], sizeof(float)) == 0) continue;
    ++different;
    first = i;
    largest = std::max(largest, std::abs(double{alone[i]} - together[i]));
  }
  if (different == 0) return "";
  return formatted("%zu of %zu logits, first [%zu]: alone %.9g, in the tree %.9g, largest difference %.3g",
                   different, width, first, double{alone[first]}, double{together[first]}, largest);
}

struct Text {
  std::vector<int32_t> tokens;
  int64_t steps = 0;
};

Text generate(const Model& model, GenerationRequest request) {
  Decoder decoder(model, std::move(request));
  decoder.prefill({});
  Text text;
  for (FinishReason finish = FinishReason::kNone; finish == FinishReason::kNone; ++text.steps) {
    const DecodingStep step = decoder.step();
    text.tokens.insert(text.tokens.end(), step.tokens.begin(), step.tokens.end());
    finish = step.finish;
  }
  return text;
}

// The place where two texts part, and the logits of both tokens there, computed in one pass.
std::string parting(const Model& model, const std::vector<int32_t>& prompt, const Text& plain, const Text& tree) {
  const size_t shorter = std::min(plain.tokens.size(), tree.tokens.size());
  size_t at = 0;
  while (at < shorter && plain.tokens[at] == tree.tokens[at]) ++at;
  if (at == shorter)
    return formatted("%zu tokens alone, %zu in trees", plain.tokens.size(), tree.tokens.size());
  std::vector<int32_t> before = prompt;
  before.insert(before.end(), plain.tokens.begin(), plain.tokens.begin() + static_cast<int64_t>(at));
  const int32_t last = before.back();
  before.pop_back();
  const std::vector<float> logits =
      pass_logits(model, {.prefix = std::move(before), .tokens = {last}, .parents = {-1}}, {});
  const int32_t alone = plain.tokens[at], in_tree = tree.tokens[at];
  return formatted("token %zu (position %zu): alone %d (logit %.9g), in trees %d (logit %.9g), highest %.9g", at,
                   prompt.size() + at, alone, double{logits[alone]}, in_tree, double{logits[in_tree]},
                   double{*std::max_element(logits.begin(), logits.end())});
}

}  // namespace

void check_logits(Report& report, const std::string& name, const Model& model, const Model& reference,
                  int64_t prefix) {
  const Tree tree = random_tree(model.shape(), prefix);
  const std::vector<float> actual = logits_of(model, tree), expected = logits_of(reference, tree);
  const size_t width = static_cast<size_t>(model.shape().vocabulary_size);
  const double error = relative_error(actual, expected);
  const bool passed = error <= kLogitTolerance;
  std::string detail = formatted("relative error %.2e, tolerance %.2e", error, kLogitTolerance);
  if (!passed)
    detail += "; nodes beyond it, prefix " + std::to_string(prefix) + ":" +
              wrong_rows(actual, expected, width, kLogitTolerance) + "; " +
              worst_element(actual, expected, width);
  report.add("logits: " + name, passed, error, detail);
}

void check_exactness(Report& report, const std::string& name, const Model& model, int64_t prefix) {
  constexpr int64_t kInFull = 3;
  const Tree tree = random_tree(model.shape(), prefix);
  const size_t vocabulary = static_cast<size_t>(model.shape().vocabulary_size);
  const std::vector<float> together = logits_of(model, tree);
  int64_t different = 0;
  std::string where;
  for (size_t node = 0; node < tree.tokens.size(); ++node) {
    Tree path;
    path.prefix = tree.prefix;
    for (int32_t at = static_cast<int32_t>(node); at >= 0; at = tree.parents[at])
      path.tokens.insert(path.tokens.begin(), tree.tokens[at]);
    for (size_t i = 0; i < path.tokens.size(); ++i) path.parents.push_back(static_cast<int32_t>(i) - 1);
    const std::vector<float> alone = logits_of(model, path);
    const std::string difference = row_difference(alone.data() + (path.tokens.size() - 1) * vocabulary,
                                                  together.data() + node * vocabulary, vocabulary);
    if (difference.empty()) continue;
    if (++different <= kInFull)
      where += formatted("; node %zu at position %lld: ", node,
                         static_cast<long long>(prefix + static_cast<int64_t>(path.tokens.size()) - 1)) +
               difference;
  }
  report.add("exactness: " + name, different == 0, static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(tree.tokens.size()) +
                 " nodes of a tree differ from the chain of their path" + where);
}

void check_losslessness(Report& report, const std::string& name, const Model& model, int64_t prompts,
                        int64_t prompt_length, int64_t new_tokens, double temperature) {
  int64_t different = 0, tokens = 0, steps = 0;
  std::string where;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    GenerationRequest request;
    request.prompt = random_tokens(prompt_length + 7 * prompt, model.shape().vocabulary_size,
                                   static_cast<uint64_t>(100 + prompt));
    request.max_new_tokens = new_tokens;
    request.sampling.temperature = temperature;
    request.sampling.top_k = temperature > 0 ? 20 : 0;
    request.sampling.seed = 5;
    const Text plain = generate(model, request);
    request.decoding.paths = paper_paths(request.decoding.depth, request.decoding.width);
    const Text tree = generate(model, request);
    tokens += static_cast<int64_t>(tree.tokens.size());
    steps += tree.steps;
    if (tree.tokens == plain.tokens) continue;
    ++different;
    where += "; text " + std::to_string(prompt) + ": " + parting(model, request.prompt, plain, tree);
  }
  report.add((temperature > 0 ? "lossless, sampled: " : "lossless, greedy: ") + name, different == 0,
             static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(prompts) +
                 " texts differ from autoregressive ones" +
                 formatted("; %.2f tokens a step", static_cast<double>(tokens) / static_cast<double>(steps)) +
                 where);
}

}  // namespace msn::gpu
