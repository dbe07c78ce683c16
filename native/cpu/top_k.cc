// The k best of a row, kept in a heap whose root is the worst of them. Most of the row is passed over a block
// at a time, because nothing in it is above the root.
#include "ops/top_k.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int kBlockVectors = 4;
constexpr int64_t kBlock = kBlockVectors * Vector::kWidth;

// The order of the result: the higher value first, NaN behind everything, then the lower index.
bool before(const float* values, int32_t a, int32_t b) {
  const float x = values[a];
  const float y = values[b];
  const bool x_is_nan = x != x;
  const bool y_is_nan = y != y;
  if (x_is_nan != y_is_nan) return y_is_nan;
  if (!x_is_nan && x != y) return x > y;
  return a < b;
}

// Puts `index` where it belongs in the part of the heap below `slot`, which is free.
void sift_down(const float* values, int32_t* heap, int64_t size, int64_t slot, int32_t index) {
  while (true) {
    int64_t child = 2 * slot + 1;
    if (child >= size) break;
    if (child + 1 < size && before(values, heap[child], heap[child + 1])) ++child;
    if (before(values, heap[child], index)) break;
    heap[slot] = heap[child];
    slot = child;
  }
  heap[slot] = index;
}

// False only where no value of the block is above the threshold; a NaN threshold is below everything.
bool may_improve(const float* block, float threshold) {
  Vector highest = Vector::broadcast(-__builtin_inff());
  for (int part = 0; part < kBlockVectors; ++part)
    highest = maximum(Vector::load(block + part * Vector::kWidth), highest);
  return !(maximum_lane(highest) <= threshold);
}

void select(const float* values, int64_t count, int32_t* heap, int64_t k) {
  for (int64_t i = 0; i < k; ++i) heap[i] = static_cast<int32_t>(i);
  for (int64_t slot = k / 2 - 1; slot >= 0; --slot) sift_down(values, heap, k, slot, heap[slot]);
  const auto offer = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (before(values, static_cast<int32_t>(i), heap[0]))
        sift_down(values, heap, k, 0, static_cast<int32_t>(i));
  };
  int64_t i = k;
  for (; i + kBlock <= count; i += kBlock)
    if (may_improve(values + i, values[heap[0]])) offer(i, i + kBlock);
  offer(i, count);
  for (int64_t size = k - 1; size > 0; --size) {
    const int32_t last = heap[size];
    heap[size] = heap[0];
    sift_down(values, heap, size, 0, last);
  }
}

}  // namespace

void run(Context& context, const TopK& args) {
  const int64_t results = args.indices.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  const int64_t k = args.indices.shape[1];
  context.parallel_for(results, results * vocabulary, [&](int64_t result, int) {
    const int64_t row = args.rows ? args.rows.i32()[result] : result;
    if (row < 0) return;
    const float* logits = args.logits.f32() + row * vocabulary;
    int32_t* indices = args.indices.as<int32_t>() + result * k;
    select(logits, vocabulary, indices, k);
    if (!args.values) return;
    for (int64_t i = 0; i < k; ++i) args.values.mutable_f32()[result * k + i] = logits[indices[i]];
  });
}

}  // namespace msn::cpu::MSN_ISA
