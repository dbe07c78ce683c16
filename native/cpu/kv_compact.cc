// Rows sources[j] of every head move to first_row + j. Sources ascend and never lie before their target, so
// going up no row is overwritten before it has moved.
#include "ops/kv_compact.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const KvCompact& args) {
  const int64_t kv_heads = args.keys.shape[0];
  const int64_t capacity = args.keys.shape[1];
  const int64_t rows = args.sources.shape[0];
  const int64_t row_bytes = args.keys.shape[2] * dtype_size(args.keys.dtype);
  const int64_t first_row = args.first_row.i32()[0];
  context.parallel_for(kv_heads, kv_heads * rows * row_bytes, [&](int64_t head, int) {
    for (const Tensor* cache : {&args.keys, &args.values}) {
      std::byte* base = static_cast<std::byte*>(cache->data) + head * capacity * row_bytes;
      for (int64_t j = 0; j < rows; ++j) {
        const int64_t source = args.sources.i32()[j];
        if (source != first_row + j)
          std::memcpy(base + (first_row + j) * row_bytes, base + source * row_bytes,
                      static_cast<size_t>(row_bytes));
      }
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
