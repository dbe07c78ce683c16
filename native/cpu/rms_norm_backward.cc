// Gradient of RMSNorm over rows; the equation stands in row_blocks.h.
#include "cpu/kernels.h"
#include "cpu/row_blocks.h"
#include "ops/rms_norm.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const RmsNormBackward& args) {
  const int64_t rows = args.input.shape[0], width = args.input.shape[1];
  const float* input = args.input.f32();
  const float* weight = args.weight.f32();
  const float* inverse_rms = args.inverse_rms.f32();
  const float* output_gradient = args.output_gradient.f32();
  float* input_gradient = args.input_gradient.mutable_f32();
  sum_over_row_blocks(context, rows, width, args.weight_gradient.mutable_f32(),
                      [=](int64_t first, int64_t end, float* partial) {
                        for (int64_t row = first; row < end; ++row)
                          rms_norm_row_backward(input + row * width, weight, output_gradient + row * width,
                                                inverse_rms[row], width, false, input_gradient + row * width,
                                                partial);
                      });
  // Rounding to f32 is no rounding: a copy.
  if (args.rounded && args.rounded.data != args.input_gradient.data)
    std::memcpy(args.rounded.data, input_gradient, static_cast<size_t>(args.rounded.bytes()));
}

}  // namespace msn::cpu::MSN_ISA
