// table_gradient[tokens[i]] += output_gradient[i]; one task owns a strip of columns and walks the rows in
// order.
#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "ops/embedding.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const EmbeddingBackward& args) {
  constexpr int64_t kStrip = 64;
  const int64_t rows = args.tokens.shape[0], hidden = args.table_gradient.shape[1];
  const int32_t* tokens = args.tokens.i32();
  const float* output_gradient = args.output_gradient.f32();
  float* table_gradient = args.table_gradient.mutable_f32();
  context.pool.parallel_for((hidden + kStrip - 1) / kStrip, [=](int64_t strip, int) {
    const int64_t first = strip * kStrip;
    const int64_t columns = hidden - first < kStrip ? hidden - first : kStrip;
    for (int64_t row = 0; row < rows; ++row) {
      const float* from = output_gradient + row * hidden + first;
      float* to = table_gradient + tokens[row] * hidden + first;
      for (int64_t column = 0; column < columns; ++column) to[column] += from[column];
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
