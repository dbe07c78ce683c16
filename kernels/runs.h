// Runs of four or eight neighbouring numbers: how the row-wise kernels read and write memory. A run of f32,
// bf16 or int8 is held as f32 in registers and moves whole where the rows allow that, 16 bytes at a time for
// the wider of the types that a kernel mixes, so that the lanes of a warp cover memory without gaps. Which
// numbers a thread owns is the same either way: alignment never changes a result.
#pragma once
#include "kernels/cuda.h"
#include "kernels/ptx.h"

namespace msn::kernels {

// Whether rows of `width` numbers one behind another consist of whole runs, at addresses that allow 16-byte
// accesses. Null pointers fit.
template <int kRun, class... Numbers>
bool whole_runs(int64_t width, const Numbers*... memory) {
  return width % kRun == 0 && (... && (reinterpret_cast<uintptr_t>(memory) % 16 == 0));
}

__device__ __forceinline__ void load_whole(const float* from, float (&values)[4]) {
  const float4 loaded = *reinterpret_cast<const float4*>(from);
  values[0] = loaded.x, values[1] = loaded.y, values[2] = loaded.z, values[3] = loaded.w;
}

__device__ __forceinline__ void load_whole(const Bf16* from, float (&values)[4]) {
  const uint2 packed = *reinterpret_cast<const uint2*>(from);
  values[0] = low_half(packed.x), values[1] = high_half(packed.x);
  values[2] = low_half(packed.y), values[3] = high_half(packed.y);
}

__device__ __forceinline__ void load_whole(const int8_t* from, float (&values)[4]) {
  const uint32_t packed = *reinterpret_cast<const uint32_t*>(from);
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = static_cast<float>(static_cast<int8_t>(packed >> (8 * i)));
}

__device__ __forceinline__ void store_whole(float* to, const float (&values)[4]) {
  *reinterpret_cast<float4*>(to) = float4{values[0], values[1], values[2], values[3]};
}

__device__ __forceinline__ void store_whole(Bf16* to, const float (&values)[4]) {
  *reinterpret_cast<uint2*>(to) = uint2{pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3])};
}

__device__ __forceinline__ void load_whole(const float* from, float (&values)[8]) {
  const float4 low = reinterpret_cast<const float4*>(from)[0],
               high = reinterpret_cast<const float4*>(from)[1];
  values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
  values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
}

__device__ __forceinline__ void load_whole(const Bf16* from, float (&values)[8]) {
  const uint4 packed = *reinterpret_cast<const uint4*>(from);
  values[0] = low_half(packed.x), values[1] = high_half(packed.x);
  values[2] = low_half(packed.y), values[3] = high_half(packed.y);
  values[4] = low_half(packed.z), values[5] = high_half(packed.z);
  values[6] = low_half(packed.w), values[7] = high_half(packed.w);
}

__device__ __forceinline__ void store_whole(float* to, const float (&values)[8]) {
  reinterpret_cast<float4*>(to)[0] = float4{values[0], values[1], values[2], values[3]};
  reinterpret_cast<float4*>(to)[1] = float4{values[4], values[5], values[6], values[7]};
}

__device__ __forceinline__ void store_whole(Bf16* to, const float (&values)[8]) {
  *reinterpret_cast<uint4*>(to) = uint4{pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]),
                                        pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7])};
}

__device__ __forceinline__ float as_float(float value) { return value; }
__device__ __forceinline__ float as_float(Bf16 value) { return to_float(value); }
__device__ __forceinline__ float as_float(int8_t value) { return static_cast<float>(value); }
__device__ __forceinline__ void assign(float& to, float value) { to = value; }
__device__ __forceinline__ void assign(Bf16& to, float value) { to = to_bf16(value); }

// The run that begins at `from`, of which `left` numbers exist (not positive: none); 0 for the others.
template <bool kWhole, class Number, int kRun>
__device__ __forceinline__ void load_run(const Number* from, int64_t left, float (&values)[kRun]) {
  if (kWhole && left > 0) {
    load_whole(from, values);
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) values[i] = i < left ? as_float(from[i]) : 0.0f;
  }
}

template <bool kWhole, class Number, int kRun>
__device__ __forceinline__ void store_run(Number* to, int64_t left, const float (&values)[kRun]) {
  if (kWhole) {
    if (left > 0) store_whole(to, values);
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i)
      if (i < left) assign(to[i], values[i]);
  }
}

}  // namespace msn::kernels
