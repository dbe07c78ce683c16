// Kernels and checks that arrive with training: weak until then, so that the addon loads without them.
#pragma once
#include "cpu/kernels.h"

#define MSN_PENDING_KERNELS                                                 \
  __attribute__((weak)) void run(Context&, const EmbeddingBackward&);       \
  __attribute__((weak)) void run(Context&, const RmsNormBackward&);         \
  __attribute__((weak)) void run(Context&, const SplitHeadsBackward&);      \
  __attribute__((weak)) void run(Context&, const SwiGluBackward&);          \
  __attribute__((weak)) void run(Context&, const MatrixProduct&);           \
  __attribute__((weak)) void run(Context&, const ColumnSum&);               \
  __attribute__((weak)) void run(Context&, const PackedAttentionForward&);  \
  __attribute__((weak)) void run(Context&, const PackedAttentionBackward&); \
  __attribute__((weak)) void run(Context&, const LinearCrossEntropy&);      \
  __attribute__((weak)) void run(Context&, const AdamW&);                   \
  __attribute__((weak)) void run(Context&, const SquaredNorm&);             \
  __attribute__((weak)) void run(Context&, const NoiseTokens&);

namespace msn {
namespace cpu::generic {
MSN_PENDING_KERNELS
}
namespace cpu::avx2 {
MSN_PENDING_KERNELS
}
namespace cpu::avx512 {
MSN_PENDING_KERNELS
}
__attribute__((weak)) void check(const EmbeddingBackward&);
__attribute__((weak)) void check(const RmsNormBackward&);
__attribute__((weak)) void check(const SplitHeadsBackward&);
__attribute__((weak)) void check(const SwiGluBackward&);
__attribute__((weak)) void check(const MatrixProduct&);
__attribute__((weak)) void check(const ColumnSum&);
__attribute__((weak)) void check(const PackedAttentionForward&);
__attribute__((weak)) void check(const PackedAttentionBackward&);
__attribute__((weak)) void check(const LinearCrossEntropy&);
__attribute__((weak)) void check(const AdamW&);
__attribute__((weak)) void check(const SquaredNorm&);
__attribute__((weak)) void check(const NoiseTokens&);
}  // namespace msn
#undef MSN_PENDING_KERNELS
