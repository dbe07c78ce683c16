// How a weight matrix [outputs, inputs] lies in device memory: row-major, rows padded with zeros to a
// multiple of 64 elements, outputs padded with rows of zeros to a multiple of 16, so that 16-byte loads of
// four rows need no guards and a library's product can read the same memory. int8 weights are followed by one
// f32 scale an output row.
#pragma once
#include <cstdint>

#include "base/philox.h"  // MSN_HOST_DEVICE

namespace msn::kernels {

MSN_HOST_DEVICE constexpr int64_t weight_stride(int64_t inputs) { return (inputs + 63) / 64 * 64; }
MSN_HOST_DEVICE constexpr int64_t weight_rows(int64_t outputs) { return (outputs + 15) / 16 * 16; }
// Bytes of the padded values; with int8 weights also where the scales begin.
MSN_HOST_DEVICE constexpr int64_t weight_value_bytes(int64_t outputs, int64_t inputs, int64_t element_bytes) {
  return weight_rows(outputs) * weight_stride(inputs) * element_bytes;
}
constexpr int64_t bf16_weight_bytes(int64_t outputs, int64_t inputs) {
  return weight_value_bytes(outputs, inputs, 2);
}
constexpr int64_t int8_weight_bytes(int64_t outputs, int64_t inputs) {
  return weight_value_bytes(outputs, inputs, 1) + weight_rows(outputs) * static_cast<int64_t>(sizeof(float));
}

}  // namespace msn::kernels
