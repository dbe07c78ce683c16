// Shape checks of the general matrix product and the column sum.
#include "ops/matrix_product.h"

namespace msn {

void check(const MatrixProduct& args, Dtype activations) {
  const char* name = "matrix_product";
  check(args.a.rank == 2, "a: expected two dimensions", name);
  check(args.c.rank == 2, "c: expected two dimensions", name);
  const int64_t m = args.c.shape[0], n = args.c.shape[1], k = args.a.shape[args.transpose_a ? 0 : 1];
  check_tensor(args.a, activations, {args.transpose_a ? k : m, args.transpose_a ? m : k}, "matrix_product.a");
  check_tensor(args.b, activations, {args.transpose_b ? n : k, args.transpose_b ? k : n}, "matrix_product.b");
  const Dtype output = args.c.dtype == Dtype::kF32 ? Dtype::kF32 : activations;
  check_tensor(args.c, output, {m, n}, "matrix_product.c");
  check(!args.accumulate || output == Dtype::kF32, "c: expected F32 to add to", name);
  if (args.bias) check_tensor(args.bias, Dtype::kF32, {n}, "matrix_product.bias");
  check(!(args.bias && args.accumulate), "a bias cannot be added to a sum that goes on", name);
}

void check(const ColumnSum& args, Dtype activations) {
  check(args.input.rank == 2, "input: expected two dimensions", "column_sum");
  check_tensor(args.input, activations, {args.input.shape[0], args.input.shape[1]}, "column_sum.input");
  check_tensor(args.output, Dtype::kF32, {args.input.shape[1]}, "column_sum.output");
}

}  // namespace msn
