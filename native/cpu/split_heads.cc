// Heads of one row: optional norm, rotation by halves (a, b) -> (a cos - b sin, b cos + a sin) for query and
// key, a copy for the value.
#include "ops/split_heads.h"

#include "cpu/kernels.h"
#include "cpu/row_norm.h"

namespace msn::cpu::MSN_ISA {
namespace {

// norm: f32 [head_dim] or null; rotary: head_dim / 2 cosines, then as many sines.
void norm_and_rotate(const float* x, int64_t head_dim, const float* norm, float epsilon, const float* rotary,
                     float* result) {
  const int64_t half = head_dim / 2;
  const float inverse_rms = norm != nullptr ? inverse_root_mean_square(x, head_dim, epsilon) : 1.0f;
  for (int64_t i = 0; i < half; i += Vector::kWidth) {
    const int count = half - i < Vector::kWidth ? static_cast<int>(half - i) : Vector::kWidth;
    Vector a = Vector::load_partial(x + i, count);
    Vector b = Vector::load_partial(x + half + i, count);
    if (norm != nullptr) {
      const Vector scale = Vector::broadcast(inverse_rms);
      a = a * scale * Vector::load_partial(norm + i, count);
      b = b * scale * Vector::load_partial(norm + half + i, count);
    }
    const Vector cosine = Vector::load_partial(rotary + i, count);
    const Vector sine = Vector::load_partial(rotary + half + i, count);
    (a * cosine - b * sine).store_partial(result + i, count);
    (b * cosine + a * sine).store_partial(result + half + i, count);
  }
}

}  // namespace

void run(Context& context, const SplitHeadsForward& args) {
  const int64_t rows = args.query.shape[0];
  const int64_t heads = args.query.shape[1];
  const int64_t head_dim = args.query.shape[2];
  const int64_t kv_heads = args.keys.shape[0];
  const int64_t capacity = args.keys.shape[1];
  const int64_t first_row = args.first_row.i32()[0];
  const int64_t width = (heads + 2 * kv_heads) * head_dim;
  context.parallel_for(rows, rows * width, [&](int64_t row, int) {
    const float* head = args.qkv.f32() + row * width;
    const float* rotary = args.rotary.f32() + row * head_dim;
    float* query = args.query.mutable_f32() + row * heads * head_dim;
    for (int64_t h = 0; h < heads; ++h, head += head_dim)
      norm_and_rotate(head, head_dim, args.query_norm.f32(), args.epsilon, rotary, query + h * head_dim);
    const auto cache_row = [&](const Tensor& cache, int64_t h) {
      return cache.mutable_f32() + (h * capacity + first_row + row) * head_dim;
    };
    for (int64_t h = 0; h < kv_heads; ++h, head += head_dim)
      norm_and_rotate(head, head_dim, args.key_norm.f32(), args.epsilon, rotary, cache_row(args.keys, h));
    for (int64_t h = 0; h < kv_heads; ++h, head += head_dim)
      std::memcpy(cache_row(args.values, h), head, static_cast<size_t>(head_dim) * sizeof(float));
  });
}

}  // namespace msn::cpu::MSN_ISA
