// The loop of docs/method.md led by the device: a step is one recorded sequence of operations on device
// memory, replayed for every step; the host reads the record that it leaves. While the host does, the device
// is at work on the next step already. Texts of one shape follow one another on the same memory and
// recordings.
#include <algorithm>
#include <map>

#include "ops/accept_path.h"
#include "ops/draft_nodes.h"
#include "ops/kv_compact.h"
#include "ops/longest_match.h"
#include "ops/sample_tokens.h"
#include "ops/top_k.h"
#include "runtime/decoding_steps.h"
#include "runtime/sampler.h"

namespace msn {
namespace {

Tensor first_of(const Tensor& planned, int64_t count) { return Tensor(planned.data, planned.dtype, {count}); }

// A tree whose constants lie on the device.
struct DeviceTree {
  DeviceTree(Backend& backend, DraftTree drafts) : tree(std::move(drafts)), memory(backend) {
    const int64_t nodes = tree.nodes();
    for (Tensor* numbers : {&parents, &depths, &columns, &deepest_below})
      memory.plan(numbers, Dtype::kI32, {nodes});
    memory.commit();
    upload(backend, parents, [&](int32_t node) { return tree.parents()[node]; });
    upload(backend, depths, [&](int32_t node) { return tree.depth(node); });
    upload(backend, columns, [&](int32_t node) { return tree.column(node); });
    upload(backend, deepest_below, [&](int32_t node) { return tree.deepest_below(node); });
  }

  template <class Function>
  void upload(Backend& backend, const Tensor& tensor, Function&& of_node) const {
    std::vector<int32_t> values;
    for (int32_t node = 0; node < tree.nodes(); ++node) values.push_back(of_node(node));
    backend.copy_from_host(tensor.data, values.data(), tensor.bytes());
  }

  bool drafts() const { return tree.nodes() > 1; }

  const DraftTree tree;
  Workspace memory;
  Tensor parents, depths, columns, deepest_below;  // i32 [nodes]
  std::unique_ptr<Recording> step;
  int64_t cache_capacity = 0;  // with which `step` was recorded
};

class DeviceSteps final : public DecodingSteps {
 public:
  explicit DeviceSteps(DecodingSession& session);
  void begin() override;
  DecodingStep step() override;

 private:
  template <class Value>
  void upload(const Tensor& tensor, const Value* values, size_t count);
  DeviceTree& tree_for(int64_t known);
  int64_t known_after_step() const { return known_ + tree_->tree.height() + 1; }  // at most
  bool next_is_certain() const;
  void start_step();
  StepRecord* records() const { return static_cast<StepRecord*>(records_storage_.data()); }  // [2]
  void enqueue(const DeviceTree& tree);
  void choose_tokens(const DeviceTree& tree, const Tensor& logits);
  void accept(const DeviceTree& tree);
  DecodingStep read_record();

  DecodingSession& session_;
  const GenerationRequest& request_;
  Backend& backend_;
  std::map<int32_t, DeviceTree> trees_;  // by height: the request's, and what the context's end leaves of it
  DeviceTree* tree_ = nullptr;           // of the last step that was started
  int64_t known_ = 0;                    // tokens after the last step that was read
  int32_t started_ = 0;                  // steps
  int32_t read_ = 0;
  std::unique_ptr<Event> done_[2];  // step number n: done_[n % 2]
  Buffer records_storage_;

  Workspace memory_;
  Tensor known_tokens_;                                     // i32 [context_length]
  Tensor known_count_, known_rows_, finish_, steps_taken_;  // i32 [1]
  Tensor last_length_;                                      // i32 [1]
  Tensor end_tokens_;                                       // i32 [ends] or none
  Tensor noise_seed_;                                       // u8 [sizeof(uint64_t)]
  Tensor sampling_;                                         // u8 [sizeof(SamplingOptions)]
  Tensor is_known_;                                         // u8 [vocabulary], or none for the highest logit
  Tensor match_;                                            // i32 [2]
  Tensor continuation_;                                     // i32 [depth]
  Tensor guesses_;                                          // i32 [depth, min(width, vocabulary)]
  Tensor tokens_, positions_, sources_, choices_;           // i32 [nodes]
  Tensor kept_rows_;                                        // i32 [height + 1]
  Tensor kept_count_, first_row_;                           // i32 [1]
  Tensor next_rows_;                                        // i32 [depth]
};

DeviceSteps::DeviceSteps(DecodingSession& session)
    : session_(session),
      request_(session.request),
      backend_(session.model.backend()),
      done_{backend_.make_event(), backend_.make_event()},
      records_storage_(backend_.allocate_pinned(2 * sizeof(StepRecord))),
      memory_(backend_) {
  const int64_t vocabulary = session.model.shape().vocabulary_size;
  const int64_t nodes = session.tree.nodes();
  const int64_t depth = request_.decoding.depth;
  memory_.plan(&known_tokens_, Dtype::kI32, {session.model.shape().context_length});
  for (Tensor* number :
       {&known_count_, &known_rows_, &finish_, &steps_taken_, &last_length_, &kept_count_, &first_row_})
    memory_.plan(number, Dtype::kI32, {1});
  if (!request_.end_of_sequence.empty())
    memory_.plan(&end_tokens_, Dtype::kI32, {static_cast<int64_t>(request_.end_of_sequence.size())});
  memory_.plan(&noise_seed_, Dtype::kU8, {sizeof(uint64_t)});
  memory_.plan(&sampling_, Dtype::kU8, {sizeof(SamplingOptions)});
  if (!is_plain_argmax(request_.sampling)) memory_.plan(&is_known_, Dtype::kU8, {vocabulary});
  memory_.plan(&match_, Dtype::kI32, {2});
  memory_.plan(&continuation_, Dtype::kI32, {depth});
  memory_.plan(&guesses_, Dtype::kI32, {depth, std::min<int64_t>(request_.decoding.width, vocabulary)});
  for (Tensor* of_nodes : {&tokens_, &positions_, &sources_, &choices_})
    memory_.plan(of_nodes, Dtype::kI32, {nodes});
  memory_.plan(&kept_rows_, Dtype::kI32, {session.tree.height() + 1});
  memory_.plan(&next_rows_, Dtype::kI32, {depth});
  memory_.commit();
}

template <class Value>
void DeviceSteps::upload(const Tensor& tensor, const Value* values, size_t count) {
  backend_.copy_from_host(tensor.data, values, static_cast<int64_t>(count * sizeof(Value)));
}

void DeviceSteps::begin() {
  started_ = read_ = 0;
  known_ = static_cast<int64_t>(request_.prompt.size());
  const int32_t none = 0, known = static_cast<int32_t>(known_),
                last_length = static_cast<int32_t>(session_.last_length);
  for (const Tensor& number : {known_rows_, finish_, steps_taken_}) upload(number, &none, 1);
  upload(known_tokens_, request_.prompt.data(), request_.prompt.size());
  upload(known_count_, &known, 1);
  upload(last_length_, &last_length, 1);
  upload(end_tokens_, request_.end_of_sequence.data(), request_.end_of_sequence.size());
  upload(noise_seed_, &request_.decoding.noise_seed, 1);
  upload(sampling_, &request_.sampling, 1);
  if (is_known_) {
    std::vector<uint8_t> is_known(static_cast<size_t>(is_known_.elements()));
    for (const int32_t token : request_.prompt) is_known[token] = 1;
    upload(is_known_, is_known.data(), is_known.size());
  }
  for (int i = 0; i < 2; ++i) records()[i].step = 0;
}

DeviceTree& DeviceSteps::tree_for(int64_t known) {
  const int64_t height = std::min<int64_t>(session_.tree.height(), session_.room_for_height(known));
  const int32_t key = static_cast<int32_t>(height);
  const auto found = trees_.find(key);
  if (found != trees_.end()) return found->second;
  return trees_.try_emplace(key, backend_, session_.tree.pruned(key)).first->second;
}

// Whether the step after the one under way can be started before that one's record is read: it is wanted, it
// has the same tree, and the cache has room for it, whatever the record says.
bool DeviceSteps::next_is_certain() const {
  const int64_t known = known_after_step();
  return known_ + 1 < session_.last_length && session_.room_for_height(known) >= tree_->tree.height() &&
         known - 1 + tree_->tree.nodes() <= session_.cache.capacity();
}

void DeviceSteps::start_step() {
  if (!tree_->step || tree_->cache_capacity != session_.cache.capacity()) {
    tree_->step = backend_.capture([this, tree = tree_] { enqueue(*tree); });
    tree_->cache_capacity = session_.cache.capacity();
  }
  tree_->step->replay();
  ++started_;
  done_[started_ % 2]->record();
}

DecodingStep DeviceSteps::step() {
  if (started_ == read_) {
    tree_ = &tree_for(known_);
    session_.cache.reserve(known_after_step() - 1 + tree_->tree.nodes());  // for this one and the next
    start_step();
  }
  if (next_is_certain()) start_step();
  return read_record();
}

void DeviceSteps::enqueue(const DeviceTree& tree) {
  const int64_t nodes = tree.tree.nodes();
  const bool retrieves = tree.drafts() && request_.decoding.retrieval;
  // No text that the cache has room for is longer; the search is sized by it.
  const int64_t longest = std::min(known_tokens_.shape[0], session_.cache.capacity());
  if (retrieves)
    backend_.run(LongestMatch{.known = first_of(known_tokens_, longest),
                              .known_count = known_count_,
                              .min_match = request_.decoding.min_match,
                              .match = match_,
                              .continuation = continuation_});
  backend_.run(DraftNodes{.known = known_tokens_,
                          .known_count = known_count_,
                          .guesses = guesses_,
                          .known_rows = known_rows_,
                          .match = retrieves ? match_ : Tensor(),
                          .continuation = retrieves ? continuation_ : Tensor(),
                          .depths = tree.depths,
                          .columns = tree.columns,
                          .width = request_.decoding.width,
                          .seed = noise_seed_,
                          .tokens = first_of(tokens_, nodes),
                          .positions = first_of(positions_, nodes),
                          .sources = first_of(sources_, nodes)});
  const bool chain = is_chain(tree.tree.parents());
  session_.transformer.enqueue({.tokens = first_of(tokens_, nodes),
                                .parents = tree.parents,
                                .positions = first_of(positions_, nodes),
                                .chain = chain},
                               session_.cache);
  const Tensor logits = session_.transformer.logits(0, nodes);
  choose_tokens(tree, logits);
  accept(tree);
  if (!chain)  // the path down a chain lies in place
    backend_.run(KvCompact{
        .cache = session_.cache.all(), .sources = kept_rows_, .first_row = first_row_, .count = kept_count_});
  if (tree.drafts())
    backend_.run(TopK{.logits = logits, .rows = next_rows_, .indices = guesses_, .values = {}});
}

void DeviceSteps::choose_tokens(const DeviceTree& tree, const Tensor& logits) {
  const int64_t nodes = tree.tree.nodes();
  if (is_plain_argmax(request_.sampling)) {
    backend_.run(
        TopK{.logits = logits, .indices = Tensor(choices_.data, Dtype::kI32, {nodes, 1}), .values = {}});
    return;
  }
  backend_.run(SampleTokens{.logits = logits,
                            .tokens = first_of(tokens_, nodes),
                            .parents = tree.parents,
                            .depths = tree.depths,
                            .known_count = known_count_,
                            .is_known = is_known_,
                            .options = sampling_,
                            .choices = first_of(choices_, nodes)});
}

void DeviceSteps::accept(const DeviceTree& tree) {
  const int64_t nodes = tree.tree.nodes();
  backend_.run(AcceptPath{
      .parents = tree.parents,
      .depths = tree.depths,
      .columns = tree.columns,
      .deepest_below = tree.deepest_below,
      .tokens = first_of(tokens_, nodes),
      .sources = first_of(sources_, nodes),
      .choices = first_of(choices_, nodes),
      .match = tree.drafts() && request_.decoding.retrieval ? match_ : Tensor(),
      .end_tokens = end_tokens_,
      .last_length = last_length_,
      .known = known_tokens_,
      .known_count = known_count_,
      .cache_length = session_.cache.device_length(),
      .is_known = is_known_,
      .known_rows = known_rows_,
      .finish = finish_,
      .step = steps_taken_,
      .kept_rows = kept_rows_,
      .kept_count = kept_count_,
      .first_row = first_row_,
      .next_rows = next_rows_,
      .records = Tensor(records_storage_.data(), Dtype::kU8, {2, static_cast<int64_t>(sizeof(StepRecord))})});
}

DecodingStep DeviceSteps::read_record() {
  ++read_;
  done_[read_ % 2]->wait();
  const StepRecord& record = records()[read_ % 2];
  if (record.step != read_)
    throw Error(ErrorCode::kInternal,
                "expected the record of step " + std::to_string(read_) + ", found that of step " +
                    std::to_string(record.step),
                "DeviceSteps");
  known_ += record.emitted;
  session_.cache.adopt_length(session_.cache.length() + record.accepted_length);
  DecodingStep step;
  step.tokens.assign(record.tokens, record.tokens + record.emitted);
  step.accepted_length = record.accepted_length;
  step.finish = record.finish;
  const int32_t accepted = record.accepted_length - 1;
  step.accepted_sources.assign(record.accepted_sources, record.accepted_sources + accepted);
  step.accepted_path.assign(record.accepted_columns, record.accepted_columns + accepted);
  step.match_length = record.match_length;
  step.match_end = record.match_end;
  step.known_rows = record.known_rows;
  step.drafted.assign(record.drafted, record.drafted + record.nodes - 1);
  return step;
}

}  // namespace

std::unique_ptr<DecodingSteps> device_steps(DecodingSession& session) {
  return std::make_unique<DeviceSteps>(session);
}

}  // namespace msn
