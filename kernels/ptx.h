// All inline PTX of the project. Every wrapper has a meaning on the CPU (shim/), so that kernels run without
// a GPU.
#pragma once
#include "kernels/cuda.h"

namespace msn::kernels {

// Programmatic dependent launch (compute capability 9.0 and up, else without effect). A kernel waits before
// it touches anything that an earlier kernel wrote or reads; it may load weights before (let_next_start says
// when). No pointer may be __restrict__ and nothing else loaded with __ldg: what the compiler believes to be
// constant it loads in front of the wait.
__device__ __forceinline__ void wait_for_inputs() {
#if !defined(__CUDACC__)
  shim::wait_for_inputs();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The next kernel of the stream may be started once all blocks of this one are here or gone; it waits for
// this one's end before it reads. Kernels call it behind wait_for_inputs(), where all that lies in front of
// them has ended. Those that stand in front of a product in a decode step (rms_norm, tree_attention, swiglu)
// call it first of all, so that the product's first weights are on their way while the kernel in front of
// them still runs. Hence the rule: what loads weights before it waits may run beside the kernel in front of
// it, and where that one calls early, beside the one before that, and so on. None of these may write weights.
// AdamW calls behind its wait, and a kernel that calls behind its wait follows it.
__device__ __forceinline__ void let_next_start() {
#if !defined(__CUDACC__)
  shim::let_next_start();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// ---- clusters (compute capability 9.0 and up): the blocks of one cluster (Grid::cluster) run at the same
// time. On older architectures every block is alone, and nothing of this may be reached.

// Which block of its cluster this one is, from 0.
__device__ __forceinline__ unsigned cluster_rank() {
#if !defined(__CUDACC__)
  return shim::cluster_rank();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#else
  return 0;
#endif
}

// Waits for all threads of all blocks of the cluster that have not ended; each sees afterwards what the
// others wrote before. Whole warps come to it.
__device__ __forceinline__ void synchronize_cluster() {
#if !defined(__CUDACC__)
  shim::synchronize_cluster();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
  __trap();
#endif
}

// The 16 bytes, aligned, of block `rank` of the cluster that lie where `own` points to in this block's shared
// memory. A barrier of the cluster stands before it, since the other block has to have begun, and one behind
// it: a block that ends takes its shared memory with it.
__device__ __forceinline__ float4 load_of_cluster(const float4* own, unsigned rank) {
#if !defined(__CUDACC__)
  return *static_cast<const float4*>(shim::of_cluster(own, rank));
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  unsigned address;
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(address)
      : "r"(static_cast<unsigned>(__cvta_generic_to_shared(own))), "r"(rank));
  float4 value;
  asm volatile("ld.shared::cluster.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "r"(address)
               : "memory");
  return value;
#else
  __trap();
  return *own;
#endif
}

// d[16, 8] += a[16, 16] * b[16, 8], f32 sums of bf16 products, by one warp. With g = lane / 4, t = lane % 4:
// a0: row g, columns 2t, 2t + 1; a1: row g + 8; a2, a3: the same at columns + 8; b0: rows 2t, 2t + 1 of
// column g; b1: rows + 8; d0, d1: row g, columns 2t, 2t + 1; d2, d3: row g + 8.
__device__ __forceinline__ void multiply_m16n8k16(float (&d)[4], const uint32_t (&a)[4],
                                                  const uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  shim::multiply_m16n8k16(d, a, b);
#endif
}

// Four 8 x 8 matrices of 16-bit numbers: lane l gives the address of row l % 8 of matrix l / 8 (16 bytes,
// aligned, shared memory) and receives in r[m] the elements 2 (l % 4), 2 (l % 4) + 1 of row l / 4 of matrix
// m; transposed, of its column.
template <bool kTransposed>
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
#ifdef __CUDACC__
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
#else
  shim::load_matrices(r, row, kTransposed);
#endif
}

// 16 bytes from global to shared memory, both aligned, on their way until wait_for_copies; `wanted` false
// writes zeros and reads nothing, but the address must be aligned all the same.
__device__ __forceinline__ void copy_16_async(void* shared, const void* global, bool wanted) {
#ifdef __CUDACC__
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
               "r"(wanted ? 16 : 0)
               : "memory");
#else
  shim::copy_async(shared, global, 16, wanted ? 16 : 0);
#endif
}

// The same for 4 bytes.
__device__ __forceinline__ void copy_4_async(void* shared, const void* global, bool wanted) {
#ifdef __CUDACC__
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(global), "r"(wanted ? 4 : 0)
               : "memory");
#else
  shim::copy_async(shared, global, 4, wanted ? 4 : 0);
#endif
}

// Ends a group of copies.
__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  shim::commit_copies();
#endif
}

// Waits until at most kPending of this thread's groups are on their way; a barrier makes them visible to the
// block.
template <int kPending>
__device__ __forceinline__ void wait_for_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#else
  shim::wait_for_copies(kPending);
#endif
}

// 16 bytes, aligned, that this block reads once: they do not displace what the first-level cache holds. No
// constants to the assembler (.nc), which moves such loads behind wait_for_inputs().
__device__ __forceinline__ uint4 load_16_once(const void* global) {
#ifdef __CUDACC__
  uint4 value;
  asm volatile("ld.global.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(global));
  return value;
#else
  return *static_cast<const uint4*>(global);
#endif
}

// The line of global memory around `global` is on its way to the second-level cache.
__device__ __forceinline__ void prefetch_to_l2(const void* global) {
#ifdef __CUDACC__
  asm volatile("prefetch.global.L2 [%0];" ::"l"(global));
#else
  static_cast<void>(global);
#endif
}

// Bytes of `word` and of zero: digit i of `selector`, from the right, names the byte that becomes byte i of
// the result, 0 to 3 in `word`, 4 a zero.
__device__ __forceinline__ uint32_t select_bytes(uint32_t word, uint32_t selector) {
#ifdef __CUDACC__
  return __byte_perm(word, 0, selector);
#else
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t source = (selector >> (4 * i)) & 7u;
    if (source < 4) result |= ((word >> (8 * source)) & 0xFFu) << (8 * i);
  }
  return result;
#endif
}

// Two floats as two bf16, round to nearest even, `low` in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#ifdef __CUDACC__
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return uint32_t{to_bf16(low).bits} | uint32_t{to_bf16(high).bits} << 16;
#endif
}

// 2^x within two units in the last place; what is below the smallest normal number becomes 0.
__device__ __forceinline__ float exp2_approx(float x) {
#ifdef __CUDACC__
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
#else
  return exp2f(x);
#endif
}

__device__ __forceinline__ float low_half(uint32_t packed) { return __uint_as_float(packed << 16); }
__device__ __forceinline__ float high_half(uint32_t packed) { return __uint_as_float(packed & 0xFFFF0000u); }

// The sums of two pairs of bf16, rounded to nearest even.
__device__ __forceinline__ uint32_t add_bf16_pairs(uint32_t a, uint32_t b) {
#ifdef __CUDACC__
  uint32_t sums;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sums) : "r"(a), "r"(0x3F803F80u), "r"(b));
  return sums;
#else
  return pack_bf16(low_half(a) + low_half(b), high_half(a) + high_half(b));
#endif
}

}  // namespace msn::kernels
