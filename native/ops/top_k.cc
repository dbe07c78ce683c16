// Shape checks of top_k.
#include "ops/top_k.h"

namespace msn {

void check(const TopK& args) {
  const int64_t rows = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  const int64_t k = args.indices.shape[1];
  check_tensor(args.logits, Dtype::kF32, {rows, vocabulary}, "top_k.logits");
  const int64_t results = args.rows ? args.rows.shape[0] : rows;
  if (args.rows) check_tensor(args.rows, Dtype::kI32, {results}, "top_k.rows");
  check_tensor(args.indices, Dtype::kI32, {results, k}, "top_k.indices");
  if (args.values) check_tensor(args.values, Dtype::kF32, {results, k}, "top_k.values");
  check(k >= 1 && k <= vocabulary, "expected k from 1 to the vocabulary size", "top_k.indices");
}

}  // namespace msn
