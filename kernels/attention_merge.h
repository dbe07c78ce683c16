// The merge of the tree attention's partial results: spans in order of position, then the open part.
#pragma once
#include "kernels/closed_attention.h"

namespace msn::kernels {

// output = sum_i 2^(m_i - m) o_i / sum_i 2^(m_i - m) l_i, i over the spans and the open part, m the highest
// m_i. A span that a row does not see (m_i = -infinity) changes nothing.
//
// By the block of a tile that comes last, alone: so the parts stream through shared memory, where more of
// them can be on their way than registers would hold.
template <int kHeadDim, int kSharers>
struct PartsMerge {
  static constexpr int kRows = ClosedTile<kHeadDim, kSharers>::kRows;
  static constexpr int kQuads = kHeadDim / 4;  // of a row
  // Thread t owns quad t % kQuads of rows t / kQuads, + kStep, ..., and thread r the statistics of row r.
  static constexpr int kStep = kTreeThreads / kQuads;
  static constexpr int kItems = static_cast<int>(divided_up(kRows, kStep));
  static constexpr int kRing = 2;  // parts in shared memory: outputs, then weights of the rows
  static constexpr int kWeights = kRing * kRows * kHeadDim;  // where they lie, in floats
  static_assert((kWeights + kRing * kRows) * int64_t{sizeof(float)} <=
                ClosedTile<kHeadDim, kSharers>::kSharedBytes);

  const TreeProblem& problem;
  const int spans;
  const int thread = static_cast<int>(threadIdx.x);
  const int quad = thread % kQuads;
  const int own_row = thread / kQuads;
  const int first_row = problem.first_row();
  const int rows = problem.rows_of_tile();

  __device__ int row(int i) const { return own_row + i * kStep; }
  // Of the tile's first row. Behind the spans comes the open part.
  __device__ int64_t partial_row(int part) const {
    return problem.partial_row(part < spans ? part : problem.span_slots, first_row);
  }
  // Of the thread's row of statistics.
  __device__ float2 stats(int part) const { return problem.partial_stats[partial_row(part) + thread]; }
  __device__ float* weights(int part) const {
    return shared_memory<float>() + kWeights + part % kRing * kRows;
  }
  __device__ float4* outputs(int part) const {
    return shared_memory<float4>() + part % kRing * kRows * kQuads + quad;
  }

  // Sends the thread's quads of a part on their way. It reads them itself, without a barrier.
  __device__ void fetch(int part) const {
    if (part <= spans) {
      const float4* const from =
          reinterpret_cast<const float4*>(problem.partial_outputs + partial_row(part) * kHeadDim) + quad;
#pragma unroll
      for (int i = 0; i < kItems; ++i)
        if (own_row < kStep && row(i) < rows)
          copy_16_async(outputs(part) + row(i) * kQuads, from + row(i) * kQuads, true);
    }
    commit_copies();
  }

  // sums += weights * outputs of a part that is there; a part that weighs nothing may not be set.
  __device__ void add(int part, float (&sums)[kItems][4]) const {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const float weight = weights(part)[min(row(i), kRows - 1)];
      const float4 one = outputs(part)[min(row(i), kRows - 1) * kQuads];
      sums[i][0] = weight == 0 ? sums[i][0] : fmaf(weight, one.x, sums[i][0]);
      sums[i][1] = weight == 0 ? sums[i][1] : fmaf(weight, one.y, sums[i][1]);
      sums[i][2] = weight == 0 ? sums[i][2] : fmaf(weight, one.z, sums[i][2]);
      sums[i][3] = weight == 0 ? sums[i][3] : fmaf(weight, one.w, sums[i][3]);
    }
  }

  // factors: [rows], in shared memory.
  __device__ void write(const float (&sums)[kItems][4], const float* factors) const {
    const HeadGroup heads = head_group(problem);
    const int head_dim = static_cast<int>(problem.args.head_dim), column = quad * 4;
    if (own_row >= kStep || column >= head_dim) return;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int node = problem.first_node + (first_row + row(i)) / problem.group_heads;
      const int head = (first_row + row(i)) % problem.group_heads;
      if (row(i) >= rows || head >= heads.count) continue;
      const float factor = factors[row(i)];
      Bf16* const output =
          problem.args.output + (node * problem.args.heads + heads.first + head) * head_dim + column;
      store_pair(output, sums[i][0] * factor, sums[i][1] * factor);
      if (column + 2 < head_dim) store_pair(output + 2, sums[i][2] * factor, sums[i][3] * factor);
    }
  }

  __device__ void run() const {
    __syncthreads();  // nobody reads what lies in shared memory
#pragma unroll
    for (int part = 0; part < kRing; ++part) fetch(part);
    float highest = -INFINITY, sum_of_weights = 0;
    if (thread < rows)
#pragma unroll 8
      for (int part = 0; part <= spans; ++part) highest = fmaxf(highest, stats(part).x);
    float sums[kItems][4] = {};
#pragma unroll 1
    for (int part = 0; part <= spans; ++part) {
      if (thread < rows) {
        const float2 one = stats(part);
        const float weight = exp2_approx(one.x - highest);
        sum_of_weights = fmaf(weight, one.y, sum_of_weights);
        weights(part)[thread] = weight;
      }
      wait_for_copies<kRing - 1>();
      __syncthreads();  // the weights are there, and those of the part before are free
      add(part, sums);
      fetch(part + kRing);
    }
    __syncthreads();
    if (thread < rows) weights(0)[thread] = 1.0f / sum_of_weights;
    __syncthreads();
    write(sums, weights(0));
  }
};

}  // namespace msn::kernels
