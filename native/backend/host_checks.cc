#include "backend/host_checks.h"

#include <algorithm>

#include "ops/accept_path.h"
#include "ops/cross_entropy.h"
#include "ops/draft_nodes.h"
#include "ops/embedding.h"
#include "ops/kv_compact.h"
#include "ops/log_probability.h"
#include "ops/longest_match.h"
#include "ops/noise.h"
#include "ops/packed_attention.h"
#include "ops/sample_tokens.h"
#include "ops/split_heads.h"
#include "ops/top_k.h"
#include "ops/tree_attention.h"

namespace msn {
namespace {

void refuse(const char* expected, int64_t low, int64_t high, int64_t received, const char* name) {
  throw Error(ErrorCode::kInvalidArgument,
              std::string("expected ") + expected + " from " + std::to_string(low) + " to " +
                  std::to_string(high) + ", received " + std::to_string(received),
              name);
}

void check_each(const Tensor& indexes, int64_t limit, const char* expected, const char* name) {
  const int32_t* values = indexes.i32();
  for (int64_t i = 0; i < indexes.shape[0]; ++i)
    if (values[i] < 0 || values[i] >= limit) refuse(expected, 0, limit - 1, values[i], name);
}

// Rows first .. first + rows - 1 lie inside a cache of `capacity` rows.
void check_cache_rows(const Tensor& first, int64_t rows, int64_t capacity, const char* name) {
  const int64_t row = first.i32()[0];
  if (row < 0 || row + rows > capacity) refuse("a cache row", 0, capacity - rows, row, name);
}

void check_parents(const Tensor& parents, const char* name) {
  for (int64_t node = 0; node < parents.shape[0]; ++node)
    if (parents.i32()[node] < -1 || parents.i32()[node] >= node)
      refuse("a parent", -1, node - 1, parents.i32()[node], name);
}

// A count of so many things lies on the device.
void check_count(const Tensor& count, int64_t least, int64_t most, const char* name) {
  if (count.i32()[0] < least || count.i32()[0] > most) refuse("a count", least, most, count.i32()[0], name);
}

// Documents lie one behind another from 0 to the number of tokens.
void check_offsets(const Tensor& offsets, int64_t tokens, const char* name) {
  const int64_t documents = offsets.shape[0] - 1;
  for (int64_t i = 0; i <= documents; ++i) {
    const int64_t low = i == 0 ? 0 : offsets.i32()[i - 1], high = i == 0 ? 0 : tokens;
    const int64_t least = i == documents ? tokens : low;
    if (offsets.i32()[i] < least || offsets.i32()[i] > high)
      refuse("an offset", least, high, offsets.i32()[i], name);
  }
}

}  // namespace

void check_indexes(const EmbeddingForward& args) {
  const int64_t vocabulary = args.packed_table != nullptr ? args.packed_table->outputs : args.table.shape[0];
  check_each(args.tokens, vocabulary, "token ids", "embedding.tokens");
}

void check_indexes(const EmbeddingBackward& args) {
  check_each(args.tokens, args.table_gradient.shape[0], "token ids", "embedding_backward.tokens");
}

void check_indexes(const SplitHeadsForward& args) {
  check_cache_rows(args.first_row, args.query.shape[0], args.keys.shape[1], "split_heads.first_row");
}

void check_indexes(const TreeAttention& args) {
  const int64_t nodes = args.query.shape[0];
  check_cache_rows(args.prefix_length, nodes, args.keys.shape[1], "tree_attention.prefix_length");
  check_parents(args.parents, "tree_attention.parents");
}

void check_indexes(const LogProbability& args) {
  check_each(args.targets, args.logits.shape[1], "token ids", "log_probability.targets");
}

void check_indexes(const KvCompact& args) {
  const int64_t all = args.sources.shape[0];
  if (args.count) check_count(args.count, 0, all, "kv_compact.count");
  const int64_t rows = args.count ? args.count.i32()[0] : all;
  const int64_t capacity = args.cache.shape[1];
  check_cache_rows(args.first_row, rows, capacity, "kv_compact.first_row");
  const int32_t* sources = args.sources.i32();
  for (int64_t j = 0; j < rows; ++j) {
    const int64_t least = j > 0 ? int64_t{sources[j - 1]} + 1 : args.first_row.i32()[0];
    if (sources[j] < 0 || sources[j] >= capacity)
      refuse("cache rows", 0, capacity - 1, sources[j], "kv_compact.sources");
    if (sources[j] < least)
      refuse("ascending cache rows", least, capacity - 1, sources[j], "kv_compact.sources");
  }
}

void check_indexes(const TopK& args) {
  if (!args.rows) return;
  for (int64_t i = 0; i < args.rows.shape[0]; ++i)  // negative: left out
    if (args.rows.i32()[i] >= args.logits.shape[0])
      refuse("rows of the logits", 0, args.logits.shape[0] - 1, args.rows.i32()[i], "top_k.rows");
}

void check_indexes(const LongestMatch& args) {
  check_count(args.known_count, 0, args.known.shape[0], "longest_match.known_count");
}

void check_indexes(const DraftNodes& args) {
  const int64_t depth = args.guesses.shape[0];
  check_count(args.known_count, 1, args.known.shape[0], "draft_nodes.known_count");
  check_count(args.known_rows, 0, depth, "draft_nodes.known_rows");
  check_each(args.depths, depth + 1, "depths", "draft_nodes.depths");
}

void check_indexes(const SampleTokens& args) {
  check_parents(args.parents, "sample_tokens.parents");
  check_each(args.tokens, args.logits.shape[1], "token ids", "sample_tokens.tokens");
}

void check_indexes(const AcceptPath& args) {
  const int64_t nodes = args.tokens.shape[0];
  const int64_t deepest = std::min<int64_t>(kDeepestDraft, args.kept_rows.shape[0] - 1);
  check_parents(args.parents, "accept_path.parents");
  check_each(args.depths, deepest + 1, "depths", "accept_path.depths");
  check_each(args.deepest_below, nodes, "nodes", "accept_path.deepest_below");
  if (args.is_known) check_each(args.choices, args.is_known.shape[0], "token ids", "accept_path.choices");
  check_count(args.finish, 0, static_cast<int64_t>(FinishReason::kLength), "accept_path.finish");
  check_count(args.last_length, 2, args.known.shape[0], "accept_path.last_length");
  if (args.finish.i32()[0] == 0)
    check_count(args.known_count, 1, args.last_length.i32()[0] - 1, "accept_path.known_count");
}

void check_indexes(const LinearCrossEntropy& args) {
  const int64_t vocabulary = args.head.shape[0];
  for (int64_t row = 0; row < args.targets.shape[0]; ++row)  // negative: no loss
    if (args.targets.i32()[row] >= vocabulary)
      refuse("token ids", 0, vocabulary - 1, args.targets.i32()[row], "cross_entropy.targets");
}

void check_indexes(const PackedAttentionForward& args) {
  check_offsets(args.document_offsets, args.query.shape[0], "packed_attention.document_offsets");
}

void check_indexes(const PackedAttentionBackward& args) {
  check_offsets(args.document_offsets, args.query.shape[0], "packed_attention_backward.document_offsets");
}

void check_indexes(const NoiseTokens& args) {
  check_offsets(args.document_offsets, args.tokens.shape[0], "noise.document_offsets");
}

}  // namespace msn
