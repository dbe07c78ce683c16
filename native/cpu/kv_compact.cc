// Rows sources[j] of every block move to first_row + j. Sources ascend and never lie before their target, so
// going up no row is overwritten before it has moved.
#include "ops/kv_compact.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const KvCompact& args) {
  const int64_t blocks = args.cache.shape[0];
  const int64_t capacity = args.cache.shape[1];
  const int64_t rows = args.count ? args.count.i32()[0] : args.sources.shape[0];
  const int64_t row_bytes = args.cache.shape[2] * dtype_size(args.cache.dtype);
  const int64_t first_row = args.first_row.i32()[0];
  context.parallel_for(blocks, blocks * rows * row_bytes, [&](int64_t block, int) {
    std::byte* base = static_cast<std::byte*>(args.cache.data) + block * capacity * row_bytes;
    for (int64_t j = 0; j < rows; ++j) {
      const int64_t source = args.sources.i32()[j];
      if (source != first_row + j)
        std::memcpy(base + (first_row + j) * row_bytes, base + source * row_bytes,
                    static_cast<size_t>(row_bytes));
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
