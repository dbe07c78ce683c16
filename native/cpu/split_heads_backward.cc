// Gradient of split_heads: query and key gradients are rotated back, then go through the query/key norm.
#include <math.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/row_blocks.h"
#include "ops/split_heads.h"

namespace msn::cpu::MSN_ISA {
namespace {

// The transpose of the rotation: (a, b) -> (a cos + b sin, b cos - a sin).
void rotate_back(const float* gradient, const float* rotary, int64_t head_dim, float* output) {
  const int64_t half = head_dim / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = gradient[i], b = gradient[i + half], cosine = rotary[i], sine = rotary[i + half];
    output[i] = a * cosine + b * sine;
    output[i + half] = b * cosine - a * sine;
  }
}

float inverse_rms_of(const float* x, int64_t width, float epsilon) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += static_cast<double>(x[i]) * x[i];
  return static_cast<float>(1 / sqrt(sum / static_cast<double>(width) + epsilon));
}

}  // namespace

void run(Context& context, const SplitHeadsBackward& args) {
  const int64_t rows = args.query_gradient.shape[0], heads = args.query_gradient.shape[1];
  const int64_t head_dim = args.query_gradient.shape[2], kv_heads = args.keys_gradient.shape[0];
  const int64_t width = (heads + 2 * kv_heads) * head_dim;
  const float* rotary = args.rotary.f32();
  float* qkv_gradient = args.qkv_gradient.mutable_f32();

  context.pool.parallel_for(rows, [&](int64_t row, int) {
    float* to = qkv_gradient + row * width;
    for (int64_t head = 0; head < heads; ++head, to += head_dim)
      rotate_back(args.query_gradient.f32() + (row * heads + head) * head_dim, rotary + row * head_dim,
                  head_dim, to);
    for (int64_t head = 0; head < kv_heads; ++head, to += head_dim)
      rotate_back(args.keys_gradient.f32() + (head * rows + row) * head_dim, rotary + row * head_dim,
                  head_dim, to);
    for (int64_t head = 0; head < kv_heads; ++head, to += head_dim)
      memcpy(to, args.values_gradient.f32() + (head * rows + row) * head_dim,
             static_cast<size_t>(head_dim) * 4);
  });
  if (!args.query_norm) return;

  const float* qkv = args.qkv.f32();
  const auto norm_backward = [&](int64_t first_head, int64_t end_head, const float* norm,
                                 float* norm_gradient) {
    sum_over_row_blocks(
        context, rows, head_dim, norm_gradient, [&](int64_t first, int64_t end, float* partial) {
          for (int64_t row = first; row < end; ++row)
            for (int64_t head = first_head; head < end_head; ++head) {
              const float* x = qkv + row * width + head * head_dim;
              float* gradient = qkv_gradient + row * width + head * head_dim;
              rms_norm_row_backward(x, norm, gradient, inverse_rms_of(x, head_dim, args.epsilon), head_dim,
                                    true, gradient, partial);
            }
        });
  };
  norm_backward(0, heads, args.query_norm.f32(), args.query_norm_gradient.mutable_f32());
  norm_backward(heads, heads + kv_heads, args.key_norm.f32(), args.key_norm_gradient.mutable_f32());
}

}  // namespace msn::cpu::MSN_ISA
