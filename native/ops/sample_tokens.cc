// Shape and range checks of sample_tokens.
#include "ops/sample_tokens.h"

#include <cmath>

namespace msn {

void check(const SampleTokens& args) {
  const char* name = "sample_tokens";
  const int64_t nodes = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  check_tensor(args.logits, Dtype::kF32, {nodes, vocabulary}, "sample_tokens.logits");
  check_tensor(args.tokens, Dtype::kI32, {nodes}, "sample_tokens.tokens");
  check_tensor(args.parents, Dtype::kI32, {nodes}, "sample_tokens.parents");
  check_tensor(args.depths, Dtype::kI32, {nodes}, "sample_tokens.depths");
  check_tensor(args.known_count, Dtype::kI32, {1}, "sample_tokens.known_count");
  check(vocabulary >= 1 && vocabulary <= kLargestVocabulary, "expected a vocabulary of 1 to 2^22 tokens",
        "sample_tokens.logits");
  check(args.temperature >= 0 && std::isfinite(args.temperature), "temperature: expected at least 0", name);
  check(args.top_k >= 0, "top_k: expected at least 0", name);
  check(args.top_p > 0 && args.top_p <= 1, "top_p: expected a number above 0, at most 1", name);
  check(args.min_p >= 0 && args.min_p <= 1, "min_p: expected a number from 0 to 1", name);
  check(args.repetition_penalty > 0 && std::isfinite(args.repetition_penalty),
        "repetition_penalty: expected a number above 0", name);
  check(args.repetition_penalty == 1 || args.is_known, "is_known: a penalty needs to know the known tokens",
        name);
  if (args.is_known) check_tensor(args.is_known, Dtype::kU8, {vocabulary}, "sample_tokens.is_known");
  check_tensor(args.choices, Dtype::kI32, {nodes}, "sample_tokens.choices");
}

}  // namespace msn
