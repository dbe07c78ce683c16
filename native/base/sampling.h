// The arithmetic of sampling, in integers: sums have no order and no rounding, so every engine draws the same
// token from the same logits.
#pragma once
#include <cstdint>

#include "base/philox.h"

namespace msn::sampling {

// Weights are in units of 2^-40: the most probable token weighs kFullWeight, and the sum over a vocabulary of
// 2^22 tokens fits 63 bits.
constexpr uint64_t kFullWeight = uint64_t{1} << 40;
// Distances from the highest logit are in units of 2^-26, up to 32; a weight so far away is 0 already.
constexpr uint32_t kFarthest = 0x7FFFFFFFu;

// A product, rounded: never fused with a sum around it.
MSN_HOST_DEVICE inline float rounded_product(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

MSN_HOST_DEVICE inline float penalized(float logit, float penalty) {
  return logit > 0 ? logit / penalty : rounded_product(logit, penalty);
}

// Units of distance in a logit. The temperature is above 0.
MSN_HOST_DEVICE inline float units_of_logit(double temperature) {
  const double units = 0x1p26 / temperature;
  return units < 0x1p127 ? static_cast<float>(units) : 0x1p127f;  // never infinite: 0 stays 0 in distance()
}

// (highest - logit) / temperature. `highest` is finite.
MSN_HOST_DEVICE inline uint32_t distance(float highest, float logit, float units_of_logit) {
  const float units = (highest - logit) * units_of_logit;
  return units < 0x1p31f ? static_cast<uint32_t>(units) : kFarthest;  // NaN is far
}

MSN_HOST_DEVICE inline uint32_t product_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((uint64_t{a} * b) >> 32);
}

// exp(-distance), off by at most 2^-28 of itself and one unit; it never rises with the distance.
MSN_HOST_DEVICE inline uint64_t weight(uint32_t distance) {
  constexpr uint64_t kLog2E = 6196328019u;  // log2(e) in units of 2^-32
  // exp(-d) = 2^-(whole + part)
  const uint64_t exponent = distance * kLog2E;  // in units of 2^-58
  const uint32_t whole = static_cast<uint32_t>(exponent >> 58);
  const uint32_t part = static_cast<uint32_t>(exponent >> 26);  // in units of 2^-32
  // 2^-part = 1 - part (c1 - part (c2 - ...)), coefficients in units of 2^-32, minimax over [0, 1].
  constexpr uint32_t kCoefficients[] = {63221u,     659694u,     5725852u,   41309332u,
                                        238388304u, 1031764990u, 2977044472u};
  uint32_t sum = 4186u;
  for (const uint32_t coefficient : kCoefficients) sum = coefficient - product_high(sum, part);
  const uint64_t power = (uint64_t{1} << 32) - product_high(sum, part);
  return (power << 8) >> whole;
}

MSN_HOST_DEVICE inline uint64_t product_high(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

// The least sum that reaches the share top_p, below 1, of a total.
MSN_HOST_DEVICE inline uint64_t sum_reaching(double top_p, uint64_t total) {
  const uint64_t share = static_cast<uint64_t>(top_p * 0x1p64);
  return product_high(share, total) + (share * total != 0);
}

// The least weight that is at least min_p times the highest.
MSN_HOST_DEVICE inline uint64_t least_weight(double min_p) {
  const double scaled = min_p * 0x1p40;
  const uint64_t whole = static_cast<uint64_t>(scaled);
  return whole + (static_cast<double>(whole) < scaled);
}

// The least sum that exceeds unit() of the draw times a total. At most the total, which is above 0.
MSN_HOST_DEVICE inline uint64_t sum_exceeding(const RandomDraw& draw, uint64_t total) {
  const PhiloxWords& words = draw.words();
  const uint64_t unit = ((uint64_t{words.x0} << 32) | words.x1) & ~uint64_t{0x7FF};  // in units of 2^-64
  return product_high(unit, total) + 1;
}

}  // namespace msn::sampling
