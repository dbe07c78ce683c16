// One vector type per instruction set. Every file of native/cpu that is listed in kernels.h is compiled once
// for each set, with MSN_ISA naming its namespace; inside it `Vector` is the widest float vector of that set.
// Contraction is off in the whole build: a product-sum is fused where the code says fma, and only there, so
// that the same formula gives the same bits in every loop of one instruction set.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(MSN_ISA_AVX512) || defined(MSN_ISA_AVX2)
#include <immintrin.h>
#endif

#ifndef MSN_ISA
#error "compile this file once per instruction set, with MSN_ISA set (see CMakeLists.txt)"
#endif

namespace msn::cpu::MSN_ISA {

inline float bf16_to_f32(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Round to nearest, ties to even; NaN stays NaN.
inline uint16_t f32_to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#if defined(MSN_ISA_AVX512)

struct Vector {
  static constexpr int kWidth = 16;
  __m512 value;

  static Vector load(const float* memory) { return {_mm512_loadu_ps(memory)}; }
  static Vector load_partial(const float* memory, int count) {
    return {_mm512_maskz_loadu_ps(mask(count), memory)};
  }
  static Vector broadcast(float scalar) { return {_mm512_set1_ps(scalar)}; }
  static Vector zero() { return {_mm512_setzero_ps()}; }
  void store(float* memory) const { _mm512_storeu_ps(memory, value); }
  void store_partial(float* memory, int count) const { _mm512_mask_storeu_ps(memory, mask(count), value); }

  friend Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.value, b.value)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.value, b.value)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.value, b.value)}; }
  friend Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.value, b.value)}; }
  // b where either is NaN; so is minimum.
  friend Vector maximum(Vector a, Vector b) { return {_mm512_max_ps(a.value, b.value)}; }
  friend Vector minimum(Vector a, Vector b) { return {_mm512_min_ps(a.value, b.value)}; }
  friend Vector square_root(Vector a) { return {_mm512_sqrt_ps(a.value)}; }
  // a * b + c, rounded once.
  friend Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.value, b.value, c.value)}; }
  friend Vector round_nearest(Vector a) { return {_mm512_roundscale_ps(a.value, 0)}; }
  // 2^n for whole n in [-126, 127].
  friend Vector power_of_two(Vector n) {
    const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.value), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
  }
  // 2 * kWidth bf16 values, interleaved in pairs: the first of each pair, the second of each pair.
  static void load_bf16_pairs(const uint16_t* memory, Vector& first, Vector& second) {
    const __m512i bits = _mm512_loadu_si512(memory);
    first.value = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    second.value =
        _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  // Lane j is the sum of the lanes of vectors[j], added in the same order for every j.
  static Vector sum_each(const Vector (&vectors)[kWidth]) {
    __m512 fours[4];  // lanes 4 i .. 4 i + 3 of fours[j]: partial sums of vectors 4 j .. 4 j + 3
    for (int j = 0; j < 4; ++j) {
      const __m512 low = pair_sums(vectors[4 * j].value, vectors[4 * j + 1].value);
      const __m512 high = pair_sums(vectors[4 * j + 2].value, vectors[4 * j + 3].value);
      fours[j] = _mm512_add_ps(_mm512_shuffle_ps(low, high, 0x44), _mm512_shuffle_ps(low, high, 0xee));
    }
    return {quarter_sums(quarter_sums(fours[0], fours[1]), quarter_sums(fours[2], fours[3]))};
  }

 private:
  static __m512 pair_sums(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  static __m512 quarter_sums(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
  static __mmask16 mask(int count) { return static_cast<__mmask16>((1u << count) - 1u); }
};

#elif defined(MSN_ISA_AVX2)

struct Vector {
  static constexpr int kWidth = 8;
  __m256 value;

  static Vector load(const float* memory) { return {_mm256_loadu_ps(memory)}; }
  static Vector load_partial(const float* memory, int count) {
    return {_mm256_maskload_ps(memory, mask(count))};
  }
  static Vector broadcast(float scalar) { return {_mm256_set1_ps(scalar)}; }
  static Vector zero() { return {_mm256_setzero_ps()}; }
  void store(float* memory) const { _mm256_storeu_ps(memory, value); }
  void store_partial(float* memory, int count) const { _mm256_maskstore_ps(memory, mask(count), value); }

  friend Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.value, b.value)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.value, b.value)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.value, b.value)}; }
  friend Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.value, b.value)}; }
  friend Vector maximum(Vector a, Vector b) { return {_mm256_max_ps(a.value, b.value)}; }
  friend Vector minimum(Vector a, Vector b) { return {_mm256_min_ps(a.value, b.value)}; }
  friend Vector square_root(Vector a) { return {_mm256_sqrt_ps(a.value)}; }
  friend Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.value, b.value, c.value)}; }
  friend Vector round_nearest(Vector a) {
    return {_mm256_round_ps(a.value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend Vector power_of_two(Vector n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.value), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
  }
  static void load_bf16_pairs(const uint16_t* memory, Vector& first, Vector& second) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(memory));
    first.value = _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    second.value =
        _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  static Vector sum_each(const Vector (&vectors)[kWidth]) {
    __m256 fours[2];  // lanes 4 i .. 4 i + 3 of fours[j]: partial sums of vectors 4 j .. 4 j + 3
    for (int j = 0; j < 2; ++j) {
      const __m256 low = pair_sums(vectors[4 * j].value, vectors[4 * j + 1].value);
      const __m256 high = pair_sums(vectors[4 * j + 2].value, vectors[4 * j + 3].value);
      fours[j] = _mm256_add_ps(_mm256_shuffle_ps(low, high, 0x44), _mm256_shuffle_ps(low, high, 0xee));
    }
    return {_mm256_add_ps(_mm256_permute2f128_ps(fours[0], fours[1], 0x20),
                          _mm256_permute2f128_ps(fours[0], fours[1], 0x31))};
  }

 private:
  static __m256 pair_sums(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
  }
  static __m256i mask(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

#else  // plain C++

struct Vector {
  static constexpr int kWidth = 8;
  float value[kWidth];

  template <class F>
  static Vector each(F&& f) {
    Vector result;
    for (int lane = 0; lane < kWidth; ++lane) result.value[lane] = f(lane);
    return result;
  }
  static Vector load(const float* memory) {
    return each([&](int lane) { return memory[lane]; });
  }
  static Vector load_partial(const float* memory, int count) {
    return each([&](int lane) { return lane < count ? memory[lane] : 0.0f; });
  }
  static Vector broadcast(float scalar) {
    return each([&](int) { return scalar; });
  }
  static Vector zero() { return broadcast(0.0f); }
  void store(float* memory) const { store_partial(memory, kWidth); }
  void store_partial(float* memory, int count) const {
    for (int lane = 0; lane < count; ++lane) memory[lane] = value[lane];
  }

  friend Vector operator+(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] + b.value[lane]; });
  }
  friend Vector operator-(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] - b.value[lane]; });
  }
  friend Vector operator*(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] * b.value[lane]; });
  }
  friend Vector operator/(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] / b.value[lane]; });
  }
  friend Vector maximum(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] > b.value[lane] ? a.value[lane] : b.value[lane]; });
  }
  friend Vector minimum(Vector a, Vector b) {
    return each([&](int lane) { return a.value[lane] < b.value[lane] ? a.value[lane] : b.value[lane]; });
  }
  friend Vector square_root(Vector a) {
    return each([&](int lane) { return __builtin_sqrtf(a.value[lane]); });
  }
  // Rounded twice: a processor without a fused product-sum would need a library call for it.
  friend Vector fma(Vector a, Vector b, Vector c) {
    return each([&](int lane) { return a.value[lane] * b.value[lane] + c.value[lane]; });
  }
  friend Vector round_nearest(Vector a) {
    return each([&](int lane) { return __builtin_rintf(a.value[lane]); });
  }
  friend Vector power_of_two(Vector n) {
    return each([&](int lane) {
      const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n.value[lane]) + 127) << 23;
      float power;
      std::memcpy(&power, &bits, sizeof power);
      return power;
    });
  }
  static void load_bf16_pairs(const uint16_t* memory, Vector& first, Vector& second) {
    first = each([&](int lane) { return bf16_to_f32(memory[2 * lane]); });
    second = each([&](int lane) { return bf16_to_f32(memory[2 * lane + 1]); });
  }
  static Vector sum_each(const Vector (&vectors)[kWidth]) {
    return each([&](int lane) {
      float sum = 0;
      for (const float value : vectors[lane].value) sum += value;
      return sum;
    });
  }
};

#endif

// e^x, relative error below 2e-7, for x held between -87.3 and 88; NaN stays NaN. Cody-Waite reduction, then
// the polynomial of Cephes' expf.
inline Vector exponential(Vector x) {
  const Vector clamped = maximum(Vector::broadcast(-87.3f), minimum(Vector::broadcast(88.0f), x));
  const Vector n = round_nearest(clamped * Vector::broadcast(1.44269504088896341f));
  Vector r = fma(n, Vector::broadcast(-0.693359375f), clamped);
  r = fma(n, Vector::broadcast(2.12194440e-4f), r);
  Vector p = Vector::broadcast(1.9875691500e-4f);
  p = fma(p, r, Vector::broadcast(1.3981999507e-3f));
  p = fma(p, r, Vector::broadcast(8.3334519073e-3f));
  p = fma(p, r, Vector::broadcast(4.1665795894e-2f));
  p = fma(p, r, Vector::broadcast(1.6666665459e-1f));
  p = fma(p, r, Vector::broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r) + Vector::broadcast(1.0f);
  return p * power_of_two(n);
}

// Lanes summed in one fixed order: neighbours at distance kWidth/2, kWidth/4, ... 1.
inline float sum_lanes(Vector v) {
  float lanes[Vector::kWidth];
  v.store(lanes);
  for (int distance = Vector::kWidth / 2; distance > 0; distance /= 2)
    for (int lane = 0; lane < distance; ++lane) lanes[lane] += lanes[lane + distance];
  return lanes[0];
}

inline float maximum_lane(Vector v) {
  float lanes[Vector::kWidth];
  v.store(lanes);
  float highest = lanes[0];
  for (int lane = 1; lane < Vector::kWidth; ++lane) highest = lanes[lane] > highest ? lanes[lane] : highest;
  return highest;
}

}  // namespace msn::cpu::MSN_ISA
