// output[i] = table[tokens[i]].
#include "ops/embedding.h"

#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kWorkOfElement = 4;  // a packed row lies scattered over its panel

void read_packed_row(const WeightMatrix& table, int64_t row, float* output) {
  const int64_t first = row / kPanel * panel_size(table.inputs, table.dtype);
  const int64_t lane = row % kPanel;
  if (table.dtype == Dtype::kBf16) {
    const auto* panel = static_cast<const uint16_t*>(table.storage.data()) + first;
    for (int64_t i = 0; i < table.inputs; ++i) output[i] = bf16_to_f32(panel[panel_offset_bf16(lane, i)]);
  } else {
    const auto* panel = static_cast<const float*>(table.storage.data()) + first;
    for (int64_t i = 0; i < table.inputs; ++i) output[i] = panel[panel_offset_f32(lane, i)];
  }
}

}  // namespace

void run(Context& context, const EmbeddingForward& args) {
  const int64_t rows = args.tokens.shape[0];
  const int64_t hidden = args.output.shape[1];
  context.parallel_for(rows, rows * hidden * kWorkOfElement, [&](int64_t row, int) {
    const int64_t token = args.tokens.i32()[row];
    float* output = args.output.mutable_f32() + row * hidden;
    if (args.packed_table != nullptr) {
      read_packed_row(*args.packed_table, token, output);
    } else {
      std::memcpy(output, args.table.f32() + token * hidden, static_cast<size_t>(hidden) * sizeof(float));
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
