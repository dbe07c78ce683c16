// Shape checks of the embedding's gradient.
#include "ops/embedding.h"

namespace msn {

void check(const EmbeddingBackward& args) {
  check(args.table_gradient.rank == 2, "table_gradient: expected two dimensions", "embedding_backward");
  check(args.tokens.rank == 1, "tokens: expected one dimension", "embedding_backward");
  const int64_t rows = args.tokens.shape[0], hidden = args.table_gradient.shape[1];
  check_tensor(args.tokens, Dtype::kI32, {rows}, "embedding_backward.tokens");
  check_tensor(args.output_gradient, Dtype::kF32, {rows, hidden}, "embedding_backward.output_gradient");
  check_tensor(args.table_gradient, Dtype::kF32, {args.table_gradient.shape[0], hidden},
               "embedding_backward.table_gradient");
}

}  // namespace msn
