// The layout of a packed weight [outputs, inputs] on this instruction set: panels of kPanel outputs, one
// behind another, the last one filled up with zeros. Inside a panel the outputs lie side by side, so that a
// vector holds one input of several outputs and every output is summed input after input, without a sum
// across lanes.
//   f32:  [inputs][kPanel]
//   bf16: [(inputs + 1) / 2][kPanel][2], a vector of 32-bit words holding two inputs; an odd last one pairs
//   with 0
#pragma once
#include "cpu/simd.h"
#include "ops/tensor.h"

namespace msn::cpu::MSN_ISA {

constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * Vector::kWidth;

inline int64_t panel_count(int64_t outputs) { return (outputs + kPanel - 1) / kPanel; }

// Values of one panel.
inline int64_t panel_size(int64_t inputs, Dtype dtype) {
  return (dtype == Dtype::kBf16 ? inputs + (inputs & 1) : inputs) * kPanel;
}

// Where a value lies in its panel. `output` counts from the panel's first.
inline int64_t panel_offset_f32(int64_t output, int64_t input) { return input * kPanel + output; }
inline int64_t panel_offset_bf16(int64_t output, int64_t input) {
  return (input / 2) * (2 * kPanel) + 2 * output + (input & 1);
}

}  // namespace msn::cpu::MSN_ISA
