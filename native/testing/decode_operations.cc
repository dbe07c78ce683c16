// Shows the operations of a decode step: arguments by their names in native/ops, in camelCase.
#include "ops/accept_path.h"
#include "ops/draft_nodes.h"
#include "ops/longest_match.h"
#include "ops/sample_tokens.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

int32_t integer(const Napi::Object& args, const char* name, int32_t fallback) {
  return static_cast<int32_t>(number(args, name, fallback));
}

// A value that an operation reads from device memory, which is the host's on the CPU; until the next call.
template <class Value>
Tensor in_memory(const Value& value, Dtype dtype = Dtype::kU8) {
  static Value memory;
  memory = value;
  return Tensor(&memory, dtype, {static_cast<int64_t>(sizeof(Value)) / dtype_size(dtype)});
}

LongestMatch longest_match(const Napi::Object& args) {
  return {.known = tensor(args, "known"),
          .known_count = tensor(args, "knownCount"),
          .min_match = integer(args, "minMatch", 2),
          .match = tensor(args, "match"),
          .continuation = tensor(args, "continuation")};
}

DraftNodes draft_nodes(const Napi::Object& args) {
  return {.known = tensor(args, "known"),
          .known_count = tensor(args, "knownCount"),
          .guesses = tensor(args, "guesses"),
          .known_rows = tensor(args, "knownRows"),
          .match = optional_tensor(args, "match"),
          .continuation = optional_tensor(args, "continuation"),
          .depths = tensor(args, "depths"),
          .columns = tensor(args, "columns"),
          .width = integer(args, "width", 1),
          .seed = in_memory(static_cast<uint64_t>(number(args, "seed"))),
          .tokens = tensor(args, "tokens"),
          .positions = tensor(args, "positions"),
          .sources = tensor(args, "sources")};
}

SampleTokens sample_tokens(const Napi::Object& args) {
  return {.logits = tensor(args, "logits"),
          .tokens = tensor(args, "tokens"),
          .parents = tensor(args, "parents"),
          .depths = tensor(args, "depths"),
          .known_count = tensor(args, "knownCount"),
          .is_known = tensor(args, "isKnown"),
          .options = in_memory(sampling_options(args)),
          .choices = tensor(args, "choices")};
}

AcceptPath accept_path(const Napi::Object& args) {
  return {.parents = tensor(args, "parents"),
          .depths = tensor(args, "depths"),
          .columns = tensor(args, "columns"),
          .deepest_below = tensor(args, "deepestBelow"),
          .tokens = tensor(args, "tokens"),
          .sources = tensor(args, "sources"),
          .choices = tensor(args, "choices"),
          .match = optional_tensor(args, "match"),
          .end_tokens = optional_tensor(args, "endTokens"),
          .last_length = in_memory(integer(args, "lastLength", 0), Dtype::kI32),
          .known = tensor(args, "known"),
          .known_count = tensor(args, "knownCount"),
          .cache_length = tensor(args, "cacheLength"),
          .is_known = optional_tensor(args, "isKnown"),
          .known_rows = tensor(args, "knownRows"),
          .finish = tensor(args, "finish"),
          .step = tensor(args, "step"),
          .kept_rows = tensor(args, "keptRows"),
          .kept_count = tensor(args, "keptCount"),
          .first_row = tensor(args, "firstRow"),
          .next_rows = tensor(args, "nextRows"),
          .records = tensor(args, "records")};
}

const Register longest_match_function{"longestMatch", runner(longest_match)};
const Register draft_nodes_function{"draftNodes", runner(draft_nodes)};
const Register sample_tokens_function{"sampleTokens", runner(sample_tokens)};
const Register accept_path_function{"acceptPath", runner(accept_path)};

}  // namespace
}  // namespace msn::testing
