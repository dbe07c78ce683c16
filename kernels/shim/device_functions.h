// CUDA's device functions and built-in variables, for a C++ compiler. Float atomics are missing on purpose:
// no kernel may use them.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/shim/execution.h"

using std::max;
using std::min;

#define threadIdx (::msn::kernels::shim::current_thread->index)
#define blockIdx (::msn::kernels::shim::current_block->index)
#define blockDim (::msn::kernels::shim::current_block->threads)
#define gridDim (::msn::kernels::shim::current_block->blocks)

// ---- barriers and fences
inline void __syncthreads() { msn::kernels::shim::synchronize_block(); }
inline int __syncthreads_count(int predicate) {
  return msn::kernels::shim::synchronize_block(predicate, msn::kernels::shim::Vote::kCount);
}
inline int __syncthreads_and(int predicate) {
  return msn::kernels::shim::synchronize_block(predicate, msn::kernels::shim::Vote::kAnd);
}
inline int __syncthreads_or(int predicate) {
  return msn::kernels::shim::synchronize_block(predicate, msn::kernels::shim::Vote::kOr);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { msn::kernels::shim::synchronize_warp(mask); }
inline void __threadfence() { msn::kernels::shim::fence(); }
inline void __threadfence_block() { msn::kernels::shim::fence(); }
inline void __threadfence_system() { msn::kernels::shim::fence(); }
inline void __nanosleep(unsigned) { msn::kernels::shim::yield(); }
[[noreturn]] inline void __trap() { msn::kernels::shim::fail("__trap()"); }

// ---- warp
namespace msn::kernels::shim {

template <class T>
T shuffle_value(unsigned mask, T value, unsigned source_lane) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = shuffle(mask, bits, source_lane);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned segment(unsigned lane, int width) { return lane & ~static_cast<unsigned>(width - 1); }

}  // namespace msn::kernels::shim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const unsigned lane = msn::kernels::shim::current_thread->lane;
  return msn::kernels::shim::shuffle_value(
      mask, value, msn::kernels::shim::segment(lane, width) | static_cast<unsigned>(source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  const unsigned lane = msn::kernels::shim::current_thread->lane;
  const unsigned source = lane ^ static_cast<unsigned>(lane_mask);
  const bool reachable =
      source < lane || msn::kernels::shim::segment(source, width) == msn::kernels::shim::segment(lane, width);
  return msn::kernels::shim::shuffle_value(mask, value, reachable ? source : lane);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32) {
  const unsigned lane = msn::kernels::shim::current_thread->lane;
  const unsigned source = lane + distance;
  const bool reachable =
      msn::kernels::shim::segment(source, width) == msn::kernels::shim::segment(lane, width);
  return msn::kernels::shim::shuffle_value(mask, value, reachable ? source : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32) {
  const unsigned lane = msn::kernels::shim::current_thread->lane;
  const bool reachable = lane - msn::kernels::shim::segment(lane, width) >= distance;
  return msn::kernels::shim::shuffle_value(mask, value, reachable ? lane - distance : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return msn::kernels::shim::ballot(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }

// ---- integer atomics, relaxed as on the device
namespace msn::kernels::shim {

template <class T>
concept AtomicInteger = std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);

template <class Operation>
auto atomically(void* address, Operation operation) {
#ifdef __SANITIZE_THREAD__
  before_atomic(address);
  const auto result = operation();
  after_atomic(address);
  return result;
#else
  static_cast<void>(address);
  return operation();
#endif
}

template <class T, class Change>
T change_atomically(T* address, Change change) {
  return atomically(address, [=] {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (
        !__atomic_compare_exchange_n(address, &old, change(old), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
  });
}

}  // namespace msn::kernels::shim

template <msn::kernels::shim::AtomicInteger T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::atomically(address,
                                        [=] { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::atomically(
      address, [=] { return __atomic_exchange_n(address, value, __ATOMIC_RELAXED); });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  return msn::kernels::shim::atomically(address, [=]() mutable {
    __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
  });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicSub(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) -> T { return old - value; });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) -> T { return old & value; });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) -> T { return old | value; });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicXor(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) -> T { return old ^ value; });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) { return std::max(old, value); });
}
template <msn::kernels::shim::AtomicInteger T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return msn::kernels::shim::change_atomically(address, [value](T old) { return std::min(old, value); });
}
// Counts from 0 to `last` and starts again at 0.
inline unsigned atomicInc(unsigned* address, unsigned last) {
  return msn::kernels::shim::change_atomically(address,
                                               [last](unsigned old) { return old >= last ? 0u : old + 1; });
}

// ---- loads and stores with a cache hint
template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
void __stcg(T* address, std::type_identity_t<T> value) {
  *address = value;
}
template <class T>
void __stcs(T* address, std::type_identity_t<T> value) {
  *address = value;
}

// ---- bits
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline double __longlong_as_double(long long bits) { return std::bit_cast<double>(bits); }
inline long long __double_as_longlong(double value) { return std::bit_cast<long long>(value); }
inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __popcll(unsigned long long bits) { return std::popcount(bits); }
inline int __clz(int bits) { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __clzll(long long bits) { return std::countl_zero(static_cast<unsigned long long>(bits)); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline unsigned __brev(unsigned bits) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= ((bits >> i) & 1u) << (31 - i);
  return reversed;
}

// ---- arithmetic. glibc declares names like __expf for itself, so that these have to be macros.
#define __expf(x) expf(x)
#define __exp2f(x) exp2f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __frsqrt_rn(float x) { return 1.0f / std::sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
