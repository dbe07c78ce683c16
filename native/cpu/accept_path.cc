// The model's tokens are followed down the tree. All accepted nodes of one depth have the same tokens above
// them, hence the same logits to the last bit: the first speaks for all.
#include "ops/accept_path.h"

#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

int32_t& number(const Tensor& tensor) { return tensor.as<int32_t>()[0]; }

int32_t ancestor(const AcceptPath& args, int32_t node, int32_t depth) {
  while (args.depths.i32()[node] > depth) node = args.parents.i32()[node];
  return node;
}

// The deepest accepted node, the first in tree order on a tie. accepted: [nodes]. model_tokens: [33], filled
// with the model's token at every depth down to that of the node.
int32_t follow(const AcceptPath& args, uint8_t* accepted, int32_t* model_tokens) {
  const int64_t nodes = args.tokens.shape[0];
  int32_t deepest = 0;
  accepted[0] = 1;
  model_tokens[0] = args.choices.i32()[0];
  for (int32_t depth = 1; depth <= kDeepestDraft; ++depth) {
    int32_t first = -1;
    for (int32_t node = 1; node < nodes; ++node) {
      if (args.depths.i32()[node] != depth) continue;
      accepted[node] =
          accepted[args.parents.i32()[node]] && args.tokens.i32()[node] == model_tokens[depth - 1];
      if (accepted[node] && first < 0) first = node;
    }
    if (first < 0) break;
    deepest = first;
    model_tokens[depth] = args.choices.i32()[first];
  }
  return deepest;
}

void describe_path(const AcceptPath& args, int32_t accepted_node, StepRecord& record) {
  record.accepted_length = args.depths.i32()[accepted_node] + 1;
  for (int32_t node = accepted_node; node > 0; node = args.parents.i32()[node]) {
    const int32_t place = args.depths.i32()[node] - 1;
    record.accepted_columns[place] = args.columns.i32()[node];
    record.accepted_sources[place] = static_cast<DraftSource>(args.sources.i32()[node]);
  }
}

void keep(const AcceptPath& args, int32_t accepted_node) {
  const int32_t length = number(args.cache_length);
  const int32_t count = args.depths.i32()[accepted_node] + 1;
  for (int32_t node = accepted_node; node >= 0; node = args.parents.i32()[node])
    args.kept_rows.as<int32_t>()[args.depths.i32()[node]] = length + node;
  number(args.kept_count) = count;
  number(args.first_row) = length;
  number(args.cache_length) = length + count;
}

// The rejected guesses below the accepted node stand where the next guesses will stand: what the model
// expects behind them is the next draft table.
void look_ahead(const AcceptPath& args, int32_t accepted_node) {
  const int32_t depth = args.depths.i32()[accepted_node];
  const int32_t last = args.deepest_below.i32()[accepted_node];
  const int32_t rows = args.depths.i32()[last] - depth;
  for (int32_t row = 0; row < args.next_rows.shape[0]; ++row)
    args.next_rows.as<int32_t>()[row] = row < rows ? ancestor(args, last, depth + 1 + row) : -1;
  number(args.known_rows) = rows;
}

FinishReason reason_to_end(const AcceptPath& args, int32_t token, int32_t known_count) {
  for (int64_t i = 0; args.end_tokens && i < args.end_tokens.shape[0]; ++i)
    if (args.end_tokens.i32()[i] == token) return FinishReason::kStop;
  return known_count == number(args.last_length) ? FinishReason::kLength : FinishReason::kNone;
}

void emit(const AcceptPath& args, const int32_t* model_tokens, StepRecord& record) {
  int32_t& known_count = number(args.known_count);
  record.emitted = 0;
  record.finish = FinishReason::kNone;
  for (int32_t i = 0; i < record.accepted_length && record.finish == FinishReason::kNone; ++i) {
    const int32_t token = model_tokens[i];
    args.known.as<int32_t>()[known_count++] = token;
    if (args.is_known) args.is_known.as<uint8_t>()[token] = 1;
    record.tokens[record.emitted++] = token;
    record.finish = reason_to_end(args, token, known_count);
  }
  number(args.finish) = static_cast<int32_t>(record.finish);
}

}  // namespace

void run(Context&, const AcceptPath& args) {
  if (number(args.finish) != static_cast<int32_t>(FinishReason::kNone)) {
    number(args.kept_count) = 0;
    number(args.first_row) = number(args.cache_length);
    for (int64_t row = 0; row < args.next_rows.shape[0]; ++row) args.next_rows.as<int32_t>()[row] = -1;
    return;
  }
  const int32_t step = ++number(args.step);
  StepRecord& record = args.records.as<StepRecord>()[step % 2];
  const int32_t nodes = static_cast<int32_t>(args.tokens.shape[0]);
  uint8_t accepted[kMostDraftNodes];
  int32_t model_tokens[kDeepestDraft + 1];
  const int32_t accepted_node = follow(args, accepted, model_tokens);
  describe_path(args, accepted_node, record);
  keep(args, accepted_node);
  look_ahead(args, accepted_node);
  emit(args, model_tokens, record);
  record.match_length = args.match ? args.match.i32()[0] : 0;
  record.match_end = args.match ? args.match.i32()[1] : 0;
  record.known_rows = number(args.known_rows);
  record.nodes = nodes;
  for (int32_t node = 1; node < nodes; ++node) record.drafted[node - 1] = args.tokens.i32()[node];
  record.step = step;
}

}  // namespace msn::cpu::MSN_ISA
