// 8-bit codes of AdamW's moments: block-wise dynamic quantisation (Dettmers et al., arXiv 2110.02861). A
// block of moments keeps the largest magnitude as its scale and of every moment the code of moment / scale.
//
// The map of magnitudes in [0, 1] has 2^bits codes: 7 bits and a sign (0x80) for the first moment, 8 bits for
// the second, which is never negative. Code 0 is 0. The others rise through the decades that end in 1: the
// decade (10^-(e + 1), 10^-e] is cut into 2^(bits - 1 - e) equal cells, and a code stands for the middle of
// its cell, so that small values keep their order of magnitude and large ones seven or eight bits. The last
// code stands for 1 itself: the largest moment of a block is kept exactly, with its sign, and quantising what
// was dequantised gives the same codes and the same scale. A value gets the code that is nearest, with one
// exception: a second moment above 0 never becomes 0, because AdamW divides by its root.
//
// Everything here is integers, comparisons and single products or quotients, nothing that a compiler could
// fuse: the same bits on every processor and device.
#pragma once
#include <cstdint>

#include "base/philox.h"  // MSN_HOST_DEVICE

namespace msn {

// Of a block whose largest magnitude is `largest`. Below 2^-96 the smallest codes would leave the range of
// normal numbers; such a block counts as zeros.
MSN_HOST_DEVICE inline float moment_scale(float largest) { return largest >= 0x1p-96f ? largest : 0.0f; }

// What a block's moments are multiplied with before they are quantised.
MSN_HOST_DEVICE inline float inverse_moment_scale(float scale) { return scale > 0.0f ? 1.0f / scale : 0.0f; }

namespace moment_codes {

// Codes n = magnitude + kOffset<kBits>: the highest set bit of n, from kOffset to kBits - 1, names the
// decade.
template <int kBits>
constexpr int kOffset = kBits - 7;

// Of every decade, known when this is compiled. Inside the decade of bit p a value is counted in steps: cell
// i begins at 2^(p + 1) + 18 i, has its middle at 9 more, and the decade ends at 10 * 2^(p + 1).
template <int kBits>
struct Decades {
  float steps_of_one[kBits] = {};
  float first[kBits] = {};  // halfway between the last code of the decade below and the first of this
  MSN_HOST_DEVICE constexpr Decades() {
    double end = 1;
    for (int p = kBits - 1; p >= kOffset<kBits>; --p, end /= 10) {
      steps_of_one[p] = static_cast<float>((20 << p) / end);
      first[p] = static_cast<float>((0.1 + 0.18 / (1 << p)) * end);
    }
  }
};

template <int kBits>
MSN_HOST_DEVICE constexpr float value_of(int magnitude) {
  if (magnitude == 0) return 0.0f;
  if (magnitude == (1 << kBits) - 1) return 1.0f;
  const int n = magnitude + kOffset<kBits>;
  int p = 0;
  while (n >> (p + 1) != 0) ++p;
  constexpr Decades<kBits> kDecades;
  return static_cast<float>((2 << p) + 18 * (n - (1 << p)) + 9) / kDecades.steps_of_one[p];
}

// `value` from 0 to 1; whatever is above, or no number, counts as 1.
template <int kBits>
MSN_HOST_DEVICE inline int nearest_to(float value) {
  constexpr int kLast = (1 << kBits) - 1;
  constexpr Decades<kBits> kDecades;
  constexpr float kFirstBegins = value_of<kBits>(1) / 2;
  constexpr float kLastBegins = (value_of<kBits>(kLast - 1) + 1) / 2;
  const bool last = !(value < kLastBegins);
  value = last ? kLastBegins : value;
  int p = kOffset<kBits>;
  float steps = kDecades.steps_of_one[p];
  for (int higher = kOffset<kBits> + 1; higher < kBits; ++higher) {
    const bool reached = value >= kDecades.first[higher];
    p = reached ? higher : p;
    steps = reached ? kDecades.steps_of_one[higher] : steps;
  }
  // What lies between a decade's end and its last code's border belongs to that code; what lies below the
  // lowest decade gives cell 0.
  const int cell = (static_cast<int>(value * steps) - (2 << p)) / 18;
  const int n = (1 << p) + cell < (2 << p) ? (1 << p) + cell : (2 << p) - 1;
  const int magnitude = n - kOffset<kBits> < kLast ? n - kOffset<kBits> : kLast - 1;
  return last ? kLast : value < kFirstBegins ? 0 : magnitude;
}

}  // namespace moment_codes

// A moment is its code's value times the block's scale.
MSN_HOST_DEVICE inline float first_moment_value(uint8_t code) {
  const float magnitude = moment_codes::value_of<7>(code & 0x7F);
  return code < 0x80 ? magnitude : -magnitude;
}
MSN_HOST_DEVICE inline float second_moment_value(uint8_t code) { return moment_codes::value_of<8>(code); }

// The code of moment * inverse_moment_scale(scale).
MSN_HOST_DEVICE inline uint8_t first_moment_code(float scaled) {
  const int magnitude = moment_codes::nearest_to<7>(scaled < 0.0f ? -scaled : scaled);
  return static_cast<uint8_t>(scaled < 0.0f && magnitude > 0 ? magnitude | 0x80 : magnitude);
}
MSN_HOST_DEVICE inline uint8_t second_moment_code(float scaled) {
  const int magnitude = moment_codes::nearest_to<8>(scaled);
  return static_cast<uint8_t>(scaled > 0.0f && magnitude == 0 ? 1 : magnitude);
}

}  // namespace msn
