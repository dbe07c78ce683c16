// Shape checks of the general matrix product and the column sum.
#include "ops/matrix_product.h"

namespace msn {

void check(const MatrixProduct& args) {
  const char* name = "matrix_product";
  check(args.a.rank == 2, "a: expected two dimensions", name);
  check(args.c.rank == 2, "c: expected two dimensions", name);
  const int64_t m = args.c.shape[0], n = args.c.shape[1], k = args.a.shape[args.transpose_a ? 0 : 1];
  check_tensor(args.a, Dtype::kF32, {args.transpose_a ? k : m, args.transpose_a ? m : k}, "matrix_product.a");
  check_tensor(args.b, Dtype::kF32, {args.transpose_b ? n : k, args.transpose_b ? k : n}, "matrix_product.b");
  check_tensor(args.c, Dtype::kF32, {m, n}, "matrix_product.c");
  if (args.bias) check_tensor(args.bias, Dtype::kF32, {n}, "matrix_product.bias");
  check(!(args.bias && args.accumulate), "a bias cannot be added to a sum that goes on", name);
}

void check(const ColumnSum& args) {
  check(args.input.rank == 2, "input: expected two dimensions", "column_sum");
  check_tensor(args.input, Dtype::kF32, {args.input.shape[0], args.input.shape[1]}, "column_sum.input");
  check_tensor(args.output, Dtype::kF32, {args.input.shape[1]}, "column_sum.output");
}

}  // namespace msn
