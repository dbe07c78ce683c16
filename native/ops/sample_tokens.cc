// Shape checks of sample_tokens.
#include "ops/sample_tokens.h"

namespace msn {

void check(const SampleTokens& args) {
  const int64_t nodes = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  check_tensor(args.logits, Dtype::kF32, {nodes, vocabulary}, "sample_tokens.logits");
  check_tensor(args.tokens, Dtype::kI32, {nodes}, "sample_tokens.tokens");
  check_tensor(args.parents, Dtype::kI32, {nodes}, "sample_tokens.parents");
  check_tensor(args.depths, Dtype::kI32, {nodes}, "sample_tokens.depths");
  check_tensor(args.known_count, Dtype::kI32, {1}, "sample_tokens.known_count");
  check(vocabulary >= 1 && vocabulary <= kLargestVocabulary, "expected a vocabulary of 1 to 2^22 tokens",
        "sample_tokens.logits");
  check_tensor(args.is_known, Dtype::kU8, {vocabulary}, "sample_tokens.is_known");
  check_tensor(args.options, Dtype::kU8, {static_cast<int64_t>(sizeof(SamplingOptions))},
               "sample_tokens.options");
  check_tensor(args.choices, Dtype::kI32, {nodes}, "sample_tokens.choices");
}

}  // namespace msn
