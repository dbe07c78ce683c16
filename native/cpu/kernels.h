// The kernels of one instruction set. Each is defined in native/cpu/<operation>.cc, which is compiled once
// per set.
#pragma once
#include "cpu/context.h"
#include "ops/operations.h"

namespace msn::cpu {

#define MSN_DECLARE_KERNELS                                                                               \
  void run(Context&, const EmbeddingForward&);                                                            \
  void run(Context&, const EmbeddingBackward&);                                                           \
  void run(Context&, const RmsNormForward&);                                                              \
  void run(Context&, const RmsNormBackward&);                                                             \
  void run(Context&, const RotaryTable&);                                                                 \
  void run(Context&, const SplitHeadsForward&);                                                           \
  void run(Context&, const SplitHeadsBackward&);                                                          \
  void run(Context&, const TreeAttention&);                                                               \
  void run(Context&, const LinearForward&);                                                               \
  void run(Context&, const SwiGluForward&);                                                               \
  void run(Context&, const SwiGluBackward&);                                                              \
  void run(Context&, const MatrixProduct&);                                                               \
  void run(Context&, const ColumnSum&);                                                                   \
  void run(Context&, const PackedAttentionForward&);                                                      \
  void run(Context&, const PackedAttentionBackward&);                                                     \
  void run(Context&, const LinearCrossEntropy&);                                                          \
  void run(Context&, const LogProbability&);                                                              \
  void run(Context&, const TopK&);                                                                        \
  void run(Context&, const KvCompact&);                                                                   \
  void run(Context&, const LongestMatch&);                                                                \
  void run(Context&, const DraftNodes&);                                                                  \
  void run(Context&, const SampleTokens&);                                                                \
  void run(Context&, const AcceptPath&);                                                                  \
  void run(Context&, const AdamW&);                                                                       \
  void run(Context&, const SquaredNorm&);                                                                 \
  void run(Context&, const NoiseTokens&);                                                                 \
  void pack_weight(Context&, const Tensor* sources, int64_t count, WeightMatrix& weight);                 \
  void unpack_weight(Context&, const WeightMatrix& weight, int64_t first_row, const Tensor& destination); \
  int64_t packed_bytes(int64_t outputs, int64_t inputs, Dtype dtype);

namespace generic {
MSN_DECLARE_KERNELS
}
namespace avx2 {
MSN_DECLARE_KERNELS
}
namespace avx512 {
MSN_DECLARE_KERNELS
}
#undef MSN_DECLARE_KERNELS

}  // namespace msn::cpu
