// The merge of the tree attention's partial results: spans in order of position, then the open part.
#pragma once
#include "kernels/attention_tile.h"
#include "kernels/launcher.h"
#include "kernels/tree_problem.h"

namespace msn::kernels {

// output = sum_i 2^(m_i - m) o_i / sum_i 2^(m_i - m) l_i, i over the spans and the open part, m the highest
// m_i. A span that a row does not see (m_i = -infinity) changes nothing.
template <int kColumns>
__device__ __forceinline__ void merge_parts(const TreeProblem& problem, int spans) {
  const int thread = static_cast<int>(threadIdx.x);
  const int first_row = problem.first_row(), rows = problem.rows_of_tile();
  const int64_t slot_stride = problem.rows();
  const float2* const stats = problem.partial_stats + problem.partial_row(0, first_row);
  const int64_t open = (problem.span_slots - spans) * slot_stride;  // from where a next span would be
  const auto part = [&](int index) { return index * slot_stride + (index == spans ? open : 0); };

  // [rows]: a row's highest score and the inverse of its sum of weights.
  float2* const totals = shared_memory<float2>();
  __syncthreads();
  if (thread < rows) {
    float highest = -INFINITY, sum = 0;
#pragma unroll 4
    for (int i = 0; i <= spans; ++i) highest = fmaxf(highest, stats[part(i) + thread].x);
#pragma unroll 4
    for (int i = 0; i <= spans; ++i) {
      const float2 one = stats[part(i) + thread];
      sum = fmaf(exp2_approx(one.x - highest), one.y, sum);
    }
    totals[thread] = make_float2(highest, 1.0f / sum);
  }
  __syncthreads();

  const HeadGroup heads = head_group(problem);
  const int head_dim = static_cast<int>(problem.args.head_dim);
  const float* const outputs = problem.partial_outputs + problem.partial_row(0, first_row) * kColumns;
  for (int item = thread; item < rows * (kColumns / 4); item += kTreeThreads) {
    const int row = item / (kColumns / 4), column = item % (kColumns / 4) * 4;
    const int node = problem.first_node + (first_row + row) / problem.group_heads;
    const int head = (first_row + row) % problem.group_heads;
    if (head >= heads.count || column >= head_dim) continue;
    const float2 total = totals[row];
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
    for (int i = 0; i <= spans; ++i) {
      const float weight = exp2_approx(stats[part(i) + row].x - total.x);
      const float4 one = *reinterpret_cast<const float4*>(outputs + (part(i) + row) * kColumns + column);
      if (weight == 0) continue;  // the span's output may not be set
      sum.x = fmaf(weight, one.x, sum.x);
      sum.y = fmaf(weight, one.y, sum.y);
      sum.z = fmaf(weight, one.z, sum.z);
      sum.w = fmaf(weight, one.w, sum.w);
    }
    Bf16* const output =
        problem.args.output + (node * problem.args.heads + heads.first + head) * head_dim + column;
    store_pair(output, sum.x * total.y, sum.y * total.y);
    if (column + 2 < head_dim) store_pair(output + 2, sum.z * total.y, sum.w * total.y);
  }
}

}  // namespace msn::kernels
