// Shape checks of kv_compact.
#include "ops/kv_compact.h"

namespace msn {

void check(const KvCompact& args) {
  const auto& shape = args.cache.shape;
  check_tensor(args.cache, args.cache.dtype, {shape[0], shape[1], shape[2]}, "kv_compact.cache");
  check_tensor(args.sources, Dtype::kI32, {args.sources.shape[0]}, "kv_compact.sources");
  check_tensor(args.first_row, Dtype::kI32, {1}, "kv_compact.first_row");
  if (args.count) check_tensor(args.count, Dtype::kI32, {1}, "kv_compact.count");
}

}  // namespace msn
