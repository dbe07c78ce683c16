// Conversions and checks of weights on their way in and out; cheap beside reading them from a disk.
#include "ops/float_values.h"

#include <atomic>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "base/parallel.h"

namespace msn {
namespace {

template <class T>
T load(const void* data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

float f16_to_f32(uint16_t bits) {
  const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 25);
}

float bf16_to_f32(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Whether any of the elements [first, last) is bad: without a branch, so that the compiler makes vectors of
// it.
template <class T, class Bad>
bool any_bad(const void* data, int64_t first, int64_t last, Bad bad) {
  bool found = false;
  for (int64_t i = first; i < last; ++i) found |= bad(load<T>(data, i));
  return found;
}

template <class T, class Bad>
int64_t find_first(const Tensor& tensor, int64_t threads, Bad bad) {
  constexpr int64_t kElementsWorthAThread = 1 << 20;
  std::atomic<bool> found{false};
  parallel_ranges(tensor.elements(), kElementsWorthAThread, threads, [&](int64_t first, int64_t last) {
    if (any_bad<T>(tensor.data, first, last, bad)) found.store(true, std::memory_order_relaxed);
  });
  if (!found.load()) return -1;
  int64_t index = 0;
  while (!bad(load<T>(tensor.data, index))) ++index;
  return index;
}

[[noreturn]] void not_a_float(Dtype dtype) {
  throw Error(ErrorCode::kModelFormat, std::string("expected a float tensor, found ") + dtype_name(dtype));
}

}  // namespace

void read_as_f32(const Tensor& tensor, float* values) {
  const int64_t count = tensor.elements();
  const auto convert = [&]<class T>(T, auto to_f32) {
    for (int64_t i = 0; i < count; ++i) values[i] = to_f32(load<T>(tensor.data, i));
  };
  switch (tensor.dtype) {
    case Dtype::kF64:
      return convert(double{}, [](double value) { return static_cast<float>(value); });
    case Dtype::kF32:
      return convert(float{}, [](float value) { return value; });
    case Dtype::kBf16:
      return convert(uint16_t{}, bf16_to_f32);
    case Dtype::kF16:
      return convert(uint16_t{}, f16_to_f32);
    case Dtype::kI32:
    case Dtype::kI8:
    case Dtype::kU8:
      break;
  }
  not_a_float(tensor.dtype);
}

int64_t find_non_finite(const Tensor& tensor, int64_t threads) {
  // NaN and the infinities have all bits of the exponent set.
  switch (tensor.dtype) {
    case Dtype::kF64:
      return find_first<double>(tensor, threads, [](double value) { return !(std::fabs(value) <= FLT_MAX); });
    case Dtype::kF32:
      return find_first<uint32_t>(tensor, threads,
                                  [](uint32_t bits) { return (bits & 0x7f800000u) == 0x7f800000u; });
    case Dtype::kBf16:
      return find_first<uint16_t>(tensor, threads, [](uint16_t bits) { return (bits & 0x7f80u) == 0x7f80u; });
    case Dtype::kF16:
      return find_first<uint16_t>(tensor, threads, [](uint16_t bits) { return (bits & 0x7c00u) == 0x7c00u; });
    case Dtype::kI32:
    case Dtype::kI8:
    case Dtype::kU8:
      break;
  }
  not_a_float(tensor.dtype);
}

uint16_t bf16_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace msn
