#include "kernels/accept_path.h"

#include <algorithm>

#include "draft_trees.h"
#include "harness.h"
#include "ops/accept_path.h"

namespace msn::kernels::testing {
namespace {

constexpr int32_t kVocabulary = 4;
constexpr int64_t kDepth = 32;

// A text as the host knows it, with the CPU operation run over it, and the same on the device.
class Texts {
 public:
  Texts(Check& check, DraftTree drafts, int64_t new_tokens, std::vector<int32_t> end_tokens)
      : check_(check), tree_(std::move(drafts)), ends_(std::move(end_tokens)), known_(2 + new_tokens, -7) {
    known_[0] = 1;
    known_[1] = 0;
    known_array_.write(known_);
  }

  // Returns whether the text has ended.
  bool step() {
    const int64_t nodes = tree_.nodes();
    // Few tokens, so that drafts are accepted and siblings are equal.
    std::vector<int32_t> choices = check_.random().integers(nodes, 0, 1);
    for (int32_t& choice : choices)
      if (check_.random().integer(0, 9) == 0) choice = kVocabulary - 1;
    return step_with(check_.random().integers(nodes, 0, 1), check_.random().integers(nodes, 0, 2), choices,
                     check_.random().integer(0, 1) == 0);
  }
  bool step_with(std::vector<int32_t> tokens, std::vector<int32_t> sources, std::vector<int32_t> choices,
                 bool retrieves) {
    const int64_t nodes = tree_.nodes();
    std::vector<int32_t> match{3, 5};
    const DeviceArray<int32_t> token_array(check_, tokens), source_array(check_, sources),
        choice_array(check_, choices), match_array(check_, match);
    int32_t* const state = state_array_.data();
    check_.launch(accept_path, AcceptPath{.parents = parents_.data(),
                                          .depths = depths_.data(),
                                          .columns = columns_.data(),
                                          .deepest_below = deepest_below_.data(),
                                          .tokens = token_array.data(),
                                          .sources = source_array.data(),
                                          .choices = choice_array.data(),
                                          .match = retrieves ? match_array.data() : nullptr,
                                          .end_tokens = end_array_.data(),
                                          .last_length = last_array_.data(),
                                          .known = known_array_.data(),
                                          .known_count = state,
                                          .cache_length = state + 1,
                                          .is_known = is_known_array_.data(),
                                          .known_rows = state + 2,
                                          .finish = state + 3,
                                          .step = state + 4,
                                          .kept_rows = kept_array_.data(),
                                          .kept_count = state + 5,
                                          .first_row = state + 6,
                                          .next_rows = next_array_.data(),
                                          .records = reinterpret_cast<StepRecord*>(record_array_.data()),
                                          .nodes = nodes,
                                          .ends = static_cast<int64_t>(ends_.size()),
                                          .depth = kDepth});
    const auto number = [&](int i) { return Tensor(state_.data() + i, Dtype::kI32, {1}); };
    check_.cpu().run(msn::AcceptPath{
        .parents = tensor(tree_.parents, {nodes}),
        .depths = tensor(tree_.depths, {nodes}),
        .columns = tensor(tree_.columns, {nodes}),
        .deepest_below = tensor(tree_.deepest_below, {nodes}),
        .tokens = tensor(tokens, {nodes}),
        .sources = tensor(sources, {nodes}),
        .choices = tensor(choices, {nodes}),
        .match = retrieves ? tensor(match, {2}) : Tensor(),
        .end_tokens = tensor(ends_, {static_cast<int64_t>(ends_.size())}),
        .last_length = tensor(last_length_, {1}),
        .known = tensor(known_, {static_cast<int64_t>(known_.size())}),
        .known_count = number(0),
        .cache_length = number(1),
        .is_known = bytes_of(is_known_),
        .known_rows = number(2),
        .finish = number(3),
        .step = number(4),
        .kept_rows = tensor(kept_, {kDeepestDraft + 1}),
        .kept_count = number(5),
        .first_row = number(6),
        .next_rows = tensor(next_, {kDepth}),
        .records = Tensor(records_.data(), Dtype::kU8, {2, static_cast<int64_t>(sizeof(StepRecord))})});
    compare();
    return state_[3] != 0;
  }

  int32_t accepted_length() const { return state_[5]; }

 private:
  void compare() const {
    const std::string what = std::to_string(tree_.nodes()) + " nodes, step " + std::to_string(state_[4]);
    check_.same(state_array_.read(), state_, what + ": the state");
    check_.same(known_array_.read(), known_, what + ": known tokens");
    check_.same(is_known_array_.read(), is_known_, what + ": is_known");
    check_.same(kept_array_.read(), kept_, what + ": kept rows");
    check_.same(next_array_.read(), next_, what + ": next rows");
    check_.same(record_array_.read(), records_, what + ": records");
  }

  Check& check_;
  DraftTree tree_;
  std::vector<int32_t> ends_, known_, last_length_{static_cast<int32_t>(known_.size())};
  // known_count, cache_length, known_rows, finish, step, kept_count, first_row
  std::vector<int32_t> state_ = {2, 1, -1, 0, 0, -1, -1};
  std::vector<uint8_t> is_known_ = {1, 1, 0, 0};
  std::vector<int32_t> kept_ = std::vector<int32_t>(kDeepestDraft + 1, -7),
                       next_ = std::vector<int32_t>(kDepth, -7);
  std::vector<uint8_t> records_ = std::vector<uint8_t>(2 * sizeof(StepRecord), 0);
  const DeviceArray<int32_t> parents_{check_, tree_.parents}, depths_{check_, tree_.depths},
      columns_{check_, tree_.columns}, deepest_below_{check_, tree_.deepest_below}, end_array_{check_, ends_},
      last_array_{check_, last_length_};
  DeviceArray<int32_t> known_array_{check_, static_cast<int64_t>(known_.size())};
  const DeviceArray<int32_t> state_array_{check_, state_}, kept_array_{check_, kept_},
      next_array_{check_, next_};
  const DeviceArray<uint8_t> is_known_array_{check_, is_known_}, record_array_{check_, records_};
};

const Test like_cpu("accept_path", [](Check& check) {
  int32_t longest = 0;
  int ended = 0;
  const std::vector<int64_t> sizes = check.tiny()
                                         ? std::vector<int64_t>{1, 12}
                                         : std::vector<int64_t>{1, 2, 12, 69, 69, 300, kMostDraftNodes};
  for (const int64_t nodes : sizes)
    for (const int32_t deepest : {1, 6, kDeepestDraft}) {
      Texts texts(check, random_tree(check.random(), nodes, deepest), check.random().integer(1, 60),
                  {2, kVocabulary - 1});
      // A step more than the text has, in which nothing changes.
      for (int step = 0, over = 0; step < 12 && over < 2; ++step) {
        over += texts.step();
        longest = std::max(longest, texts.accepted_length());
        ended += over == 2;
      }
    }
  check.require(check.tiny() || longest > 6, "too little was accepted");
  check.require(ended > 0, "no text has ended");
});

// The model's own tokens all the way down the deepest chain.
const Test deepest("accept_path down the deepest chain", [](Check& check) {
  std::vector<int32_t> tokens(kDeepestDraft + 1, 1);
  DraftTree chain;
  for (int32_t node = 0; node <= kDeepestDraft; ++node) {
    chain.parents.push_back(node - 1);
    chain.depths.push_back(node);
    chain.columns.push_back(0);
    chain.deepest_below.push_back(kDeepestDraft);
  }
  Texts texts(check, chain, 200, {3});
  texts.step_with(tokens, std::vector<int32_t>(kDeepestDraft + 1, 0), tokens, false);
  check.require(texts.accepted_length() == kDeepestDraft + 1, "expected all of the chain");
});

}  // namespace
}  // namespace msn::kernels::testing
