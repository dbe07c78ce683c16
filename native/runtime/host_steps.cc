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
      : session_(session),
        model_(session.model),
        request_(session.request),
        transformer_(session.transformer),
        cache_(session.cache),
        tree_(session.tree),
        table_(request_.decoding.depth, request_.decoding.width, request_.decoding.noise_seed),
        retrieval_(request_.decoding.min_match),
        sampler_(request_.sampling, model_.shape().vocabulary_size),
        memory_(model_.backend()) {
    const int64_t vocabulary = model_.shape().vocabulary_size;
    memory_.plan(&argmax_, Dtype::kI32, {tree_.nodes(), 1});
    memory_.plan(&guesses_, Dtype::kI32,
                 {request_.decoding.depth, std::min<int64_t>(request_.decoding.width, vocabulary)});
    memory_.commit();
    host_guesses_.resize(guesses_.elements());
    logits_row_.resize(is_plain_argmax(request_.sampling) ? 0 : vocabulary);
  }

  void begin() override {
    for (const int32_t token : request_.prompt) add_known(token);
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
    known_.push_back(token);
    if (drafts() && request_.decoding.retrieval) retrieval_.append(token);
    sampler_.add_known(token);
  }
  bool drafts() const { return tree_.nodes() > 1; }

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

  const DecodingSession& session_;
  const Model& model_;
  const GenerationRequest& request_;
  Transformer& transformer_;
  KvCache& cache_;
  DraftTree tree_;
  DraftTable table_;
  Retrieval retrieval_;
  Sampler sampler_;
  std::vector<int32_t> known_;

  // Of the step at hand, by node.
  std::vector<int32_t> tokens_;
  std::vector<DraftSource> sources_;
  // Of an accepted node: the first node of the same tokens, often itself; else -1.
  std::vector<int32_t> contexts_;
  std::vector<int32_t> choices_;  // the model's token behind the node; -1: not yet known
  std::vector<int32_t> slots_;    // row of logits_ with the node's logits; -1: not computed
  int32_t used_slots_ = 0;
  float* logits_ = nullptr;  // [nodes, vocabulary], the first used_slots_ rows filled

  Workspace memory_;
  Tensor argmax_;   // i32 [nodes, 1]
  Tensor guesses_;  // i32 [depth, min(width, vocabulary)]
  std::vector<int32_t> host_guesses_;
  std::vector<int32_t> host_argmax_;
  std::vector<int32_t> wanted_;
  std::vector<float> logits_row_;
  std::vector<int32_t> path_;
};

// Near the end the tree shrinks with every step, and never grows again.
void HostSteps::leave_out_nodes_beyond_context() {
  const int64_t room = session_.room_for_height(static_cast<int64_t>(known_.size()));
  if (tree_.height() > room) tree_ = tree_.pruned(static_cast<int32_t>(room));
}

void HostSteps::draft(DecodingStep& step) {
  tokens_.assign(1, known_.back());
  sources_.assign(1, DraftSource::kModel);
  if (!drafts()) return;
  if (request_.decoding.retrieval) {
    const Match match = retrieval_.longest_match();
    step.match_length = match.length;
    step.match_end = match.end;
    table_.set_retrieved(match.length > 0);
    if (match.length > 0) retrieval_.read_continuation(match, table_.continuation());
  }
  for (int32_t node = 1; node < tree_.nodes(); ++node) {
    const DraftCell cell = table_.cell(tree_.depth(node) - 1, tree_.column(node), known_);
    tokens_.push_back(cell.token);
    sources_.push_back(cell.source);
  }
  step.drafted.assign(tokens_.begin() + 1, tokens_.end());
}

void HostSteps::verify() {
  transformer_.forward({tokens_, tree_.parents()}, cache_);
  choices_.assign(tree_.nodes(), -1);
  slots_.assign(tree_.nodes(), -1);
  used_slots_ = 0;
}

// The head is a good part of a small model, and most nodes are rejected unseen: it runs for an accepted node
// and, in the same product, for the path below it that the next table is read from, should nothing more be
// accepted.
void HostSteps::need_logits(int32_t node) {
  if (slots_[node] >= 0) return;
  wanted_.clear();
  for (int32_t below = tree_.deepest_below(node); below != tree_.parents()[node];
       below = tree_.parents()[below])
    wanted_.push_back(below);
  const Tensor rows = transformer_.logits_of(wanted_, used_slots_);
  if (used_slots_ == 0) logits_ = rows.mutable_f32();
  for (const int32_t computed : wanted_) slots_[computed] = used_slots_++;
  if (!is_plain_argmax(request_.sampling)) return;
  const Tensor indices(argmax_.data, Dtype::kI32, {rows.shape[0], 1});
  model_.backend().run(TopK{.logits = rows, .indices = indices, .values = {}});
  host_argmax_.resize(wanted_.size());
  model_.backend().copy_to_host(host_argmax_.data(), indices.data, indices.bytes());
  for (size_t i = 0; i < wanted_.size(); ++i) choices_[wanted_[i]] = host_argmax_[i];
}

// f32 [1, vocabulary]
Tensor HostSteps::logits_of(int32_t node) const {
  const int64_t vocabulary = model_.shape().vocabulary_size;
  return Tensor(logits_ + slots_[node] * vocabulary, Dtype::kF32, {1, vocabulary});
}

// Tokens of the node's path below the root.
std::span<const int32_t> HostSteps::path_tokens(int32_t node) {
  path_.resize(tree_.depth(node));
  for (; node > 0; node = tree_.parents()[node]) path_[tree_.depth(node) - 1] = tokens_[node];
  return path_;
}

// The model's token behind an accepted node.
int32_t HostSteps::choice(int32_t node) {
  need_logits(node);
  if (choices_[node] >= 0) return choices_[node];
  const Tensor row = logits_of(node);
  model_.backend().copy_to_host(logits_row_.data(), row.data, row.bytes());
  const int64_t index = static_cast<int64_t>(known_.size()) + tree_.depth(node);
  return choices_[node] = sampler_.choose(logits_row_, path_tokens(node), index);
}

// Of accepted siblings with the same token the first speaks for all: their logits are equal to the last bit.
void HostSteps::find_context(int32_t node) {
  const int32_t parent = contexts_[tree_.parents()[node]];
  contexts_[node] = node;
  for (int32_t other = parent + 1; other < node; ++other)
    if (contexts_[other] == other && contexts_[tree_.parents()[other]] == parent &&
        tokens_[other] == tokens_[node])
      contexts_[node] = other;
}

// The deepest accepted node, the first in tree order on a tie.
int32_t HostSteps::accept(DecodingStep& step) {
  contexts_.assign(tree_.nodes(), -1);
  contexts_[0] = 0;
  int32_t deepest = 0;
  for (int32_t node = 1; node < tree_.nodes(); ++node) {
    const int32_t parent = tree_.parents()[node];
    if (contexts_[parent] < 0 || tokens_[node] != choice(contexts_[parent])) continue;
    find_context(node);
    if (tree_.depth(node) > tree_.depth(deepest)) deepest = node;
  }
  step.accepted_length = tree_.depth(deepest) + 1;
  step.accepted_path.resize(tree_.depth(deepest));
  step.accepted_sources.resize(tree_.depth(deepest));
  for (int32_t node = deepest; node > 0; node = tree_.parents()[node]) {
    step.accepted_path[tree_.depth(node) - 1] = tree_.column(node);
    step.accepted_sources[tree_.depth(node) - 1] = sources_[node];
  }
  return deepest;
}

// The rejected guesses below the accepted node stand where the next guesses will stand: what the model
// expects behind them is the next draft table.
void HostSteps::look_ahead(int32_t accepted_node, DecodingStep& step) {
  const int32_t last = tree_.deepest_below(accepted_node);
  const int32_t rows = tree_.depth(last) - tree_.depth(accepted_node);
  if (rows > 0) need_logits(accepted_node);
  const int64_t row_size = guesses_.shape[1];
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t node = tree_.ancestor(last, tree_.depth(accepted_node) + 1 + row);
    model_.backend().run(
        TopK{.logits = logits_of(node),
             .indices = Tensor(guesses_.as<int32_t>() + row * row_size, Dtype::kI32, {1, row_size}),
             .values = {}});
  }
  if (rows > 0)
    model_.backend().copy_to_host(host_guesses_.data(), guesses_.data,
                                  rows * row_size * dtype_size(Dtype::kI32));
  for (int32_t row = 0; row < rows; ++row)
    table_.set_row(row, std::span(host_guesses_).subspan(row * row_size, row_size));
  table_.set_known_rows(rows);
  step.known_rows = rows;
}

void HostSteps::keep(int32_t accepted_node) {
  path_.resize(tree_.depth(accepted_node) + 1);
  for (int32_t node = accepted_node; node >= 0; node = tree_.parents()[node]) path_[tree_.depth(node)] = node;
  cache_.keep(path_);
}

void HostSteps::emit(int32_t accepted_node, DecodingStep& step) {
  const std::span<const int32_t> drafted = path_tokens(accepted_node);
  step.tokens.assign(drafted.begin(), drafted.end());
  step.tokens.push_back(choice(contexts_[accepted_node]));
  const std::vector<int32_t>& ends = request_.end_of_sequence;
  for (size_t i = 0; i < step.tokens.size() && step.finish == FinishReason::kNone; ++i) {
    add_known(step.tokens[i]);
    if (std::find(ends.begin(), ends.end(), step.tokens[i]) != ends.end())
      step.finish = FinishReason::kStop;
    else if (static_cast<int64_t>(known_.size()) == session_.last_length)
      step.finish = FinishReason::kLength;
    if (step.finish != FinishReason::kNone) step.tokens.resize(i + 1);
  }
}

}  // namespace

std::unique_ptr<DecodingSteps> host_steps(DecodingSession& session) {
  return std::make_unique<HostSteps>(session);
}

}  // namespace msn
