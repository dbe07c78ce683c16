// Shape checks of embedding.
#include "ops/embedding.h"

namespace msn {

void check(const EmbeddingForward& args, Dtype activations) {
  const int64_t rows = args.tokens.shape[0];
  const int64_t hidden = args.output.shape[1];
  check_tensor(args.tokens, Dtype::kI32, {rows}, "embedding.tokens");
  check_tensor(args.output, Dtype::kF32, {rows, hidden}, "embedding.output");
  check((args.packed_table != nullptr) != static_cast<bool>(args.table), "expected exactly one table",
        "embedding");
  if (args.packed_table != nullptr) {
    check(args.packed_table->inputs == hidden, "expected a table as wide as the output",
          "embedding.packed_table");
  } else {
    check_tensor(args.table, activations, {args.table.shape[0], hidden}, "embedding.table");
  }
}

}  // namespace msn
