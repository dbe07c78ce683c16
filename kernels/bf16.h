// bfloat16 in memory, and its way to and from f32: the number format of weights and activations on CUDA.
#pragma once
#include <cstdint>

#include "base/philox.h"  // MSN_HOST_DEVICE

namespace msn::kernels {

// The upper half of an f32.
struct Bf16 {
  uint16_t bits;
};

MSN_HOST_DEVICE inline float to_float(Bf16 value) {
  const uint32_t bits = uint32_t{value.bits} << 16;
  float result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}

// Round to nearest, ties to even; NaN stays NaN.
MSN_HOST_DEVICE inline Bf16 to_bf16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  bits += 0x7FFFu + ((bits >> 16) & 1u);
  return {static_cast<uint16_t>(bits >> 16)};
}

}  // namespace msn::kernels
