// The inner loops of attention for one query head: scores of kWidth keys, softmax over a row of scores, and
// the weighted sum of values, each in an order that depends on positions alone (docs/exactness.md).
#pragma once
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

// kWidth rows into the first cache: read side by side, they are too many streams for the processor to
// foresee.
inline void prefetch_rows(const float* memory,  // [capacity, head_dim]
                          const int32_t* rows,  // [kWidth]
                          int64_t head_dim) {
  constexpr int64_t kLine = 16;
  for (int lane = 0; lane < Vector::kWidth; ++lane)
    for (int64_t d = 0; d < head_dim; d += kLine) __builtin_prefetch(memory + rows[lane] * head_dim + d);
}

// scores[lane] = scale * (query . key_at(lane)) for kWidth keys. The sum along head_dim has one order for
// all.
template <class KeyAt>
inline __attribute__((always_inline)) void score_rows(const float* query, KeyAt key_at, int64_t head_dim,
                                                      float scale, float* scores) {
  Vector sums[Vector::kWidth];
#pragma GCC unroll 16
  for (int lane = 0; lane < Vector::kWidth; ++lane) sums[lane] = Vector::zero();
  int64_t d = 0;
  for (; d + Vector::kWidth <= head_dim; d += Vector::kWidth) {
    const Vector q = Vector::load(query + d);
#pragma GCC unroll 16
    for (int lane = 0; lane < Vector::kWidth; ++lane)
      sums[lane] = fma(q, Vector::load(key_at(lane) + d), sums[lane]);
  }
  if (d < head_dim) {
    const int count = static_cast<int>(head_dim - d);
    const Vector q = Vector::load_partial(query + d, count);
#pragma GCC unroll 16
    for (int lane = 0; lane < Vector::kWidth; ++lane)
      sums[lane] = fma(q, Vector::load_partial(key_at(lane) + d, count), sums[lane]);
  }
  (Vector::sum_each(sums) * Vector::broadcast(scale)).store(scores);
}

// kHeads query heads, [kHeads, head_dim], against key rows rows[0 .. kWidth): scores[head * scores_stride +
// lane]. Rows that follow one another need one pointer instead of kWidth, and the common sizes of a head no
// loop at all.
inline void score_keys(const float* query,  // [heads, head_dim]
                       int64_t heads,
                       const float* keys,    // [capacity, head_dim]
                       const int32_t* rows,  // [kWidth]
                       int64_t head_dim, float scale, float* scores, int64_t scores_stride) {
  bool consecutive = true;
  for (int lane = 0; lane < Vector::kWidth; ++lane) consecutive &= rows[lane] == rows[0] + lane;
  const float* first = keys + rows[0] * head_dim;
  const auto each_head = [&](auto score) {
    for (int64_t head = 0; head < heads; ++head)
      score(query + head * head_dim, scores + head * scores_stride);
  };
  if (consecutive && head_dim == 64) {
    each_head([=](const float* q, float* out) {
      score_rows(q, [=](int lane) { return first + lane * 64; }, 64, scale, out);
    });
  } else if (consecutive && head_dim == 128) {
    each_head([=](const float* q, float* out) {
      score_rows(q, [=](int lane) { return first + lane * 128; }, 128, scale, out);
    });
  } else {
    const float* key[Vector::kWidth];
    for (int lane = 0; lane < Vector::kWidth; ++lane) key[lane] = keys + rows[lane] * head_dim;
    each_head([=](const float* q, float* out) {
      score_rows(q, [&](int lane) { return key[lane]; }, head_dim, scale, out);
    });
  }
}

// scores[i] becomes exp(scores[i] - highest); returns their sum. count is a multiple of kWidth.
inline float exponentials(float* scores, int64_t count) {
  Vector highest = Vector::broadcast(-__builtin_inff());
  for (int64_t i = 0; i < count; i += Vector::kWidth) highest = maximum(Vector::load(scores + i), highest);
  highest = Vector::broadcast(maximum_lane(highest));
  Vector sum = Vector::zero();
  for (int64_t i = 0; i < count; i += Vector::kWidth) {
    const Vector weight = exponential(Vector::load(scores + i) - highest);
    weight.store(scores + i);
    sum = sum + weight;
  }
  return sum_lanes(sum);
}

// output[head][d] += weights[head][t] * values[rows[t]][d] for t = 0 .. count - 1 in this order, for kHeads
// heads and kVectors vectors along head_dim, the last of which has `last` lanes.
template <int kHeads, int kVectors>
void add_values(const float* weights, int64_t weights_stride,  // [kHeads, >= count]
                const float* values,  // [capacity, head_dim], from the first column wanted
                const int32_t* rows,  // [count]
                int64_t count, int64_t head_dim, int last,
                float* output) {  // [kHeads, head_dim], from the first column wanted
  Vector sums[kHeads][kVectors];
#pragma GCC unroll 8
  for (int head = 0; head < kHeads; ++head)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const float* memory = output + head * head_dim + v * Vector::kWidth;
      sums[head][v] = v + 1 < kVectors ? Vector::load(memory) : Vector::load_partial(memory, last);
    }
  for (int64_t t = 0; t < count; ++t) {
    const float* row = values + rows[t] * head_dim;
    Vector value[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const float* memory = row + v * Vector::kWidth;
      value[v] = v + 1 < kVectors ? Vector::load(memory) : Vector::load_partial(memory, last);
    }
#pragma GCC unroll 8
    for (int head = 0; head < kHeads; ++head) {
      const Vector weight = Vector::broadcast(weights[head * weights_stride + t]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[head][v] = fma(weight, value[v], sums[head][v]);
    }
  }
#pragma GCC unroll 8
  for (int head = 0; head < kHeads; ++head)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      float* memory = output + head * head_dim + v * Vector::kWidth;
      if (v + 1 < kVectors) {
        sums[head][v].store(memory);
      } else {
        sums[head][v].store_partial(memory, last);
      }
    }
}

// The same for all of head_dim and any number of heads.
template <int kHeads>
void add_values_of_heads(const float* weights, int64_t weights_stride, const float* values,
                         const int32_t* rows, int64_t count, int64_t head_dim, float* output) {
  constexpr int kMost = 4;
  for (int64_t d = 0; d < head_dim; d += kMost * Vector::kWidth) {
    const int64_t left = head_dim - d;
    const int64_t vectors = (left + Vector::kWidth - 1) / Vector::kWidth;
    const int64_t taken = vectors < kMost ? vectors : kMost;
    const int64_t rest = left - (taken - 1) * Vector::kWidth;
    const int last = rest < Vector::kWidth ? static_cast<int>(rest) : Vector::kWidth;
    switch (taken) {
      case 1:
        add_values<kHeads, 1>(weights, weights_stride, values + d, rows, count, head_dim, last, output + d);
        break;
      case 2:
        add_values<kHeads, 2>(weights, weights_stride, values + d, rows, count, head_dim, last, output + d);
        break;
      case 3:
        add_values<kHeads, 3>(weights, weights_stride, values + d, rows, count, head_dim, last, output + d);
        break;
      default:
        add_values<kHeads, 4>(weights, weights_stride, values + d, rows, count, head_dim, last, output + d);
    }
  }
}

inline void add_weighted_values(const float* weights, int64_t weights_stride, const float* values,
                                const int32_t* rows, int64_t count, int64_t head_dim, int64_t heads,
                                float* output) {
  for (int64_t head = 0; head < heads;) {
    const float* head_weights = weights + head * weights_stride;
    float* head_output = output + head * head_dim;
    switch (heads - head) {
      case 1:
        add_values_of_heads<1>(head_weights, weights_stride, values, rows, count, head_dim, head_output);
        head += 1;
        break;
      case 2:
        add_values_of_heads<2>(head_weights, weights_stride, values, rows, count, head_dim, head_output);
        head += 2;
        break;
      default:
        add_values_of_heads<3>(head_weights, weights_stride, values, rows, count, head_dim, head_output);
        head += 3;
    }
  }
}

}  // namespace msn::cpu::MSN_ISA
