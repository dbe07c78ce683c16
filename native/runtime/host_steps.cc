// The loop of docs/method.md led by the host: draft a tree, verify it in one pass, keep the accepted path,
// look ahead from what was rejected. Logits are computed only for nodes that are looked at.
#include <algorithm>

#include "ops/top_k.h"
#include "runtime/decoding_steps.h"
#include "runtime/draft_table.h"
#include "runtime/retrieval.h"
#include "runtime/sampler.h"

namespace msn {
namespace {

class HostSteps final : public DecodingSteps {
 public:
  explicit HostSteps(DecodingSession& session)
      : session(session),
        model(session.model),
        request(session.request),
        transformer(session.transformer),
        cache(session.cache),
        tree(session.tree),
        table(request.decoding.depth, request.decoding.width, request.decoding.noise_seed),
        retrieval(request.decoding.min_match),
        sampler(request.sampling, model.shape().vocabulary_size),
        memory(model.backend()) {
    for (const int32_t token : request.prompt) add_known(token);
    const int64_t vocabulary = model.shape().vocabulary_size;
    memory.plan(&argmax, Dtype::kI32, {tree.nodes(), 1});
    memory.plan(&guesses, Dtype::kI32,
                {request.decoding.depth, std::min<int64_t>(request.decoding.width, vocabulary)});
    memory.commit();
    host_guesses.resize(guesses.elements());
    logits_row.resize(is_plain_argmax(request.sampling) ? 0 : vocabulary);
  }

  DecodingStep step() override {
    DecodingStep step;
    leave_out_nodes_beyond_context();
    draft(step);
    verify();
    const int32_t accepted = accept(step);
    look_ahead(accepted, step);
    keep(accepted);
    emit(accepted, step);
    return step;
  }

 private:
  void add_known(int32_t token) {
    known.push_back(token);
    if (drafts() && request.decoding.retrieval) retrieval.append(token);
    sampler.add_known(token);
  }
  bool drafts() const { return tree.nodes() > 1; }

  void leave_out_nodes_beyond_context();
  void draft(DecodingStep& step);
  void verify();
  void need_logits(int32_t node);
  Tensor logits_of(int32_t node) const;
  int32_t choice(int32_t node);
  void find_context(int32_t node);
  int32_t accept(DecodingStep& step);
  void look_ahead(int32_t accepted, DecodingStep& step);
  void keep(int32_t accepted);
  void emit(int32_t accepted, DecodingStep& step);
  std::span<const int32_t> path_tokens(int32_t node);

  const DecodingSession& session;
  const Model& model;
  const GenerationRequest& request;
  Transformer& transformer;
  KvCache& cache;
  DraftTree tree;
  DraftTable table;
  Retrieval retrieval;
  Sampler sampler;
  std::vector<int32_t> known;

  // Of the step at hand, by node.
  std::vector<int32_t> tokens;
  std::vector<DraftSource> sources;
  std::vector<int32_t>
      contexts;  // of an accepted node: the first node of the same tokens, often itself; else -1
  std::vector<int32_t> choices;  // the model's token behind the node; -1: not yet known
  std::vector<int32_t> slots;    // row of `logits` with the node's logits; -1: not computed
  int32_t used_slots = 0;
  float* logits = nullptr;  // [nodes, vocabulary], the first used_slots rows filled

  Workspace memory;
  Tensor argmax;   // i32 [nodes, 1]
  Tensor guesses;  // i32 [depth, min(width, vocabulary)]
  std::vector<int32_t> host_guesses;
  std::vector<int32_t> host_argmax;
  std::vector<int32_t> wanted;
  std::vector<float> logits_row;
  std::vector<int32_t> path;
};

// Near the end the tree shrinks with every step, and never grows again.
void HostSteps::leave_out_nodes_beyond_context() {
  const int64_t room = session.room_for_height(static_cast<int64_t>(known.size()));
  if (tree.height() > room) tree = tree.pruned(static_cast<int32_t>(room));
}

void HostSteps::draft(DecodingStep& step) {
  tokens.assign(1, known.back());
  sources.assign(1, DraftSource::kModel);
  if (!drafts()) return;
  if (request.decoding.retrieval) {
    const Match match = retrieval.longest_match();
    step.match_length = match.length;
    step.match_end = match.end;
    table.set_retrieved(match.length > 0);
    if (match.length > 0) retrieval.read_continuation(match, table.continuation());
  }
  for (int32_t node = 1; node < tree.nodes(); ++node) {
    const DraftCell cell = table.cell(tree.depth(node) - 1, tree.column(node), known);
    tokens.push_back(cell.token);
    sources.push_back(cell.source);
  }
  step.drafted.assign(tokens.begin() + 1, tokens.end());
}

void HostSteps::verify() {
  transformer.forward({tokens, tree.parents()}, cache);
  choices.assign(tree.nodes(), -1);
  slots.assign(tree.nodes(), -1);
  used_slots = 0;
}

// The head is a good part of a small model, and most nodes are rejected unseen: it runs for an accepted node
// and, in the same product, for the path below it that the next table is read from, should nothing more be
// accepted.
void HostSteps::need_logits(int32_t node) {
  if (slots[node] >= 0) return;
  wanted.clear();
  for (int32_t below = tree.deepest_below(node); below != tree.parents()[node]; below = tree.parents()[below])
    wanted.push_back(below);
  const Tensor rows = transformer.logits_of(wanted, used_slots);
  if (used_slots == 0) logits = rows.mutable_f32();
  for (const int32_t computed : wanted) slots[computed] = used_slots++;
  if (!is_plain_argmax(request.sampling)) return;
  const Tensor indices(argmax.data, Dtype::kI32, {rows.shape[0], 1});
  model.backend().run(TopK{.logits = rows, .indices = indices, .values = {}});
  host_argmax.resize(wanted.size());
  model.backend().copy_to_host(host_argmax.data(), indices.data, indices.bytes());
  for (size_t i = 0; i < wanted.size(); ++i) choices[wanted[i]] = host_argmax[i];
}

// f32 [1, vocabulary]
Tensor HostSteps::logits_of(int32_t node) const {
  const int64_t vocabulary = model.shape().vocabulary_size;
  return Tensor(logits + slots[node] * vocabulary, Dtype::kF32, {1, vocabulary});
}

// Tokens of the node's path below the root.
std::span<const int32_t> HostSteps::path_tokens(int32_t node) {
  path.resize(tree.depth(node));
  for (; node > 0; node = tree.parents()[node]) path[tree.depth(node) - 1] = tokens[node];
  return path;
}

// The model's token behind an accepted node.
int32_t HostSteps::choice(int32_t node) {
  need_logits(node);
  if (choices[node] >= 0) return choices[node];
  const Tensor row = logits_of(node);
  model.backend().copy_to_host(logits_row.data(), row.data, row.bytes());
  const int64_t index = static_cast<int64_t>(known.size()) + tree.depth(node);
  return choices[node] = sampler.choose(logits_row, path_tokens(node), index);
}

// Of accepted siblings with the same token the first speaks for all: their logits are equal to the last bit.
void HostSteps::find_context(int32_t node) {
  const int32_t parent = contexts[tree.parents()[node]];
  contexts[node] = node;
  for (int32_t other = parent + 1; other < node; ++other)
    if (contexts[other] == other && contexts[tree.parents()[other]] == parent &&
        tokens[other] == tokens[node])
      contexts[node] = other;
}

// The deepest accepted node, the first in tree order on a tie.
int32_t HostSteps::accept(DecodingStep& step) {
  contexts.assign(tree.nodes(), -1);
  contexts[0] = 0;
  int32_t deepest = 0;
  for (int32_t node = 1; node < tree.nodes(); ++node) {
    const int32_t parent = tree.parents()[node];
    if (contexts[parent] < 0 || tokens[node] != choice(contexts[parent])) continue;
    find_context(node);
    if (tree.depth(node) > tree.depth(deepest)) deepest = node;
  }
  step.accepted_length = tree.depth(deepest) + 1;
  step.accepted_path.resize(tree.depth(deepest));
  step.accepted_sources.resize(tree.depth(deepest));
  for (int32_t node = deepest; node > 0; node = tree.parents()[node]) {
    step.accepted_path[tree.depth(node) - 1] = tree.column(node);
    step.accepted_sources[tree.depth(node) - 1] = sources[node];
  }
  return deepest;
}

// The rejected guesses below the accepted node stand where the next guesses will stand: what the model
// expects behind them is the next draft table.
void HostSteps::look_ahead(int32_t accepted_node, DecodingStep& step) {
  const int32_t last = tree.deepest_below(accepted_node);
  const int32_t rows = tree.depth(last) - tree.depth(accepted_node);
  if (rows > 0) need_logits(accepted_node);
  const int64_t row_size = guesses.shape[1];
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t node = tree.ancestor(last, tree.depth(accepted_node) + 1 + row);
    model.backend().run(
        TopK{.logits = logits_of(node),
             .indices = Tensor(guesses.as<int32_t>() + row * row_size, Dtype::kI32, {1, row_size}),
             .values = {}});
  }
  if (rows > 0)
    model.backend().copy_to_host(host_guesses.data(), guesses.data,
                                 rows * row_size * dtype_size(Dtype::kI32));
  for (int32_t row = 0; row < rows; ++row)
    table.set_row(row, std::span(host_guesses).subspan(row * row_size, row_size));
  table.set_known_rows(rows);
  step.known_rows = rows;
}

void HostSteps::keep(int32_t accepted_node) {
  path.resize(tree.depth(accepted_node) + 1);
  for (int32_t node = accepted_node; node >= 0; node = tree.parents()[node]) path[tree.depth(node)] = node;
  cache.keep(path);
}

void HostSteps::emit(int32_t accepted_node, DecodingStep& step) {
  const std::span<const int32_t> drafted = path_tokens(accepted_node);
  step.tokens.assign(drafted.begin(), drafted.end());
  step.tokens.push_back(choice(contexts[accepted_node]));
  const std::vector<int32_t>& ends = request.end_of_sequence;
  for (size_t i = 0; i < step.tokens.size() && step.finish == FinishReason::kNone; ++i) {
    add_known(step.tokens[i]);
    if (std::find(ends.begin(), ends.end(), step.tokens[i]) != ends.end())
      step.finish = FinishReason::kStop;
    else if (static_cast<int64_t>(known.size()) == session.last_length)
      step.finish = FinishReason::kLength;
    if (step.finish != FinishReason::kNone) step.tokens.resize(i + 1);
  }
}

}  // namespace

std::unique_ptr<DecodingSteps> host_steps(DecodingSession& session) {
  return std::make_unique<HostSteps>(session);
}

}  // namespace msn
