// Backward pass of the training attention, the weights computed again (FlashAttention-2, arXiv 2307.08691):
//   delta = rowsum(output output_gradient);  p = exp(s - log_sum_exp);  ds = p (output_gradient v^T - delta)
//   dv = p^T output_gradient;  dk = ds^T q / sqrt(head_dim);  dq = ds k / sqrt(head_dim)
// query, output and their gradients [tokens, heads, head_dim]; keys, values and theirs [kv_heads, tokens,
// head_dim]. Every gradient has one owner: blocks of key_gradients_kernel own tiles of keys, blocks of
// query_gradients_kernel tiles of queries. A product's result in registers is what the next product takes, so
// p and ds never lie in memory.
#include <math.h>

#include "kernels/attention_tile.h"
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/packed_attention.h"
#include "kernels/packed_documents.h"

namespace msn::kernels {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr float kLog2E = 1.44269504088896340736f;

// The query heads [first_head, first_head + heads) and what they share keys with.
struct Problem {
  PackedAttentionBackward args;
  int first_head;
  int heads;
  int members;         // query heads whose gradients of keys and values a block adds: the group, or one
  float* delta;        // [heads, tokens]
  float* key_parts;    // [heads, tokens, head_dim] with one member, else null
  float* value_parts;  // the same
  float scale;         // 1 / sqrt(head_dim)
  bool aligned;
};

__device__ __forceinline__ TileSource of_head(const Bf16* tensor, const Problem& problem, int head) {
  const PackedAttentionBackward& args = problem.args;
  return {tensor + head * args.head_dim, args.heads * args.head_dim, static_cast<int>(args.head_dim),
          problem.aligned};
}
__device__ __forceinline__ TileSource of_kv_head(const Bf16* tensor, const Problem& problem, int kv_head) {
  const PackedAttentionBackward& args = problem.args;
  return {tensor + kv_head * args.tokens * args.head_dim, args.head_dim, static_cast<int>(args.head_dim),
          problem.aligned};
}

// One warp a row of delta.
__global__ void __launch_bounds__(kThreads) delta_kernel(const Problem problem) {
  wait_for_inputs();
  let_next_start();
  const PackedAttentionBackward& args = problem.args;
  const int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (token >= args.tokens) return;
  const int index = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t first = (token * args.heads + problem.first_head + index) * args.head_dim;
  const auto* output = reinterpret_cast<const uint32_t*>(args.output + first);
  const auto* gradient = reinterpret_cast<const uint32_t*>(args.output_gradient + first);
  float sum = 0;
  for (int64_t i = lane; i < args.head_dim / 2; i += 32) {
    sum = fmaf(low_half(output[i]), low_half(gradient[i]), sum);
    sum = fmaf(high_half(output[i]), high_half(gradient[i]), sum);
  }
  sum = warp_sum(sum);
  if (lane == 0) problem.delta[index * args.tokens + token] = sum;
}

// ---------------------------------------------------------------- gradients of keys and values

// The sums of two gradients fill the registers: at 256 columns a block takes half of the columns.
template <int kHeadDim>
struct KeyTile {
  static constexpr int kRowBlocks = kHeadDim <= 64 ? 2 : 1;
  static constexpr int kWarpKeys = kRowBlocks * 16;
  static constexpr int kKeys = kWarps * kWarpKeys;
  static constexpr int kQueries = kHeadDim <= 128 ? 32 : 16;
  static constexpr int kQueryBlocks = kQueries / 8;
  static constexpr int kStages = kHeadDim <= 128 ? 2 : 1;
  static constexpr int kColumns = kHeadDim <= 128 ? kHeadDim : kHeadDim / 2;
  static constexpr int kKeyElements = kTileElements<kKeys, kHeadDim>;
  static constexpr int kQueryElements = kTileElements<kQueries, kHeadDim>;
  static constexpr int64_t kSharedBytes =
      2 * (kKeyElements + kStages * kQueryElements) * int64_t{sizeof(Bf16)} +
      2 * kStages * kQueries * int64_t{sizeof(float)} + kKeys * int64_t{sizeof(int)};
};

// -inf where a query lies before the key or does not see it any more. Counted from the tile's first query:
// first_key, the warp's first key; end_of_sight: of the warp's keys, counted from token 0.
template <int kRowBlocks, int kQueryBlocks>
__device__ __forceinline__ void hide_unseeing(Fragments<kRowBlocks, kQueryBlocks>& scores, int first_key,
                                              int first_query, const int* end_of_sight) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = i * 16 + half * 8 + lane / 4;
      const int first = first_key + row, end = end_of_sight[row] - first_query;
#pragma unroll
      for (int j = 0; j < kQueryBlocks; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int query = j * 8 + lane % 4 * 2 + e;
          if (query < first || query >= end) scores[i][j][half * 2 + e] = -INFINITY;
        }
    }
}

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1) key_gradients_kernel(const Problem problem) {
  using T = KeyTile<kHeadDim>;
  wait_for_inputs();
  let_next_start();
  const PackedAttentionBackward& args = problem.args;
  Bf16* const key_tile = shared_memory<Bf16>();
  Bf16* const value_tile = key_tile + T::kKeyElements;
  Bf16* const query_tiles = value_tile + T::kKeyElements;                     // [stages]
  Bf16* const gradient_tiles = query_tiles + T::kStages * T::kQueryElements;  // [stages]
  float* const log_sums = reinterpret_cast<float*>(gradient_tiles + T::kStages * T::kQueryElements);
  float* const deltas = log_sums + T::kStages * T::kQueries;  // [stages, queries], as log_sums
  int* const end_of_sights = reinterpret_cast<int*>(deltas + T::kStages * T::kQueries);  // [keys]

  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int tokens = static_cast<int>(args.tokens), group = static_cast<int>(args.heads / args.kv_heads);
  const int first_index = static_cast<int>(blockIdx.x) * problem.members;  // of the block's query heads
  const int kv_head = (problem.first_head + first_index) / group;
  const int first_key = static_cast<int>(blockIdx.y) * T::kKeys;
  const int first_column = static_cast<int>(blockIdx.z) * T::kColumns;
  const TileSource keys = of_kv_head(args.keys, problem, kv_head);
  const TileSource values = of_kv_head(args.values, problem, kv_head);

  for (int row = thread; row < T::kKeys; row += kThreads)
    end_of_sights[row] = first_key + row < tokens
                             ? end_of_sight(args.document_offsets, static_cast<int>(args.documents),
                                            static_cast<int>(args.window), first_key + row)
                             : 0;
  __syncthreads();
  const int warp_row = warp * T::kWarpKeys, warp_first = first_key + warp_row;
  const int warp_last = min(warp_first + T::kWarpKeys, tokens) - 1;
  const int warp_end = warp_last >= warp_first ? end_of_sights[warp_last - first_key] : 0;
  const int end_query = end_of_sights[min(T::kKeys, tokens - first_key) - 1];
  // The next tile of queries to be loaded: tiles of one head, then of the next.
  int next_index = first_index, next_query = first_key;
  const auto load_next = [&](int stage) {
    const int head = problem.first_head + next_index;
    load_tile<T::kQueries, kHeadDim, kThreads>(query_tiles + stage * T::kQueryElements,
                                               of_head(args.query, problem, head), next_query, end_query);
    load_tile<T::kQueries, kHeadDim, kThreads>(gradient_tiles + stage * T::kQueryElements,
                                               of_head(args.output_gradient, problem, head), next_query,
                                               end_query);
    if (thread < T::kQueries) {
      const bool wanted = next_query + thread < end_query;
      const int64_t token = wanted ? next_query + thread : 0;
      const int to = stage * T::kQueries + thread;
      copy_4_async(log_sums + to, args.log_sum_exp + head * args.tokens + token, wanted);
      copy_4_async(deltas + to, problem.delta + next_index * args.tokens + token, wanted);
    }
    next_query += T::kQueries;
    if (next_query < end_query) return;
    next_query = first_key;
    ++next_index;
  };

  Fragments<T::kRowBlocks, T::kColumns / 8> key_gradient, value_gradient;
  set_zero(key_gradient);
  set_zero(value_gradient);
  load_tile<T::kKeys, kHeadDim, kThreads>(key_tile, keys, first_key, tokens);
  load_tile<T::kKeys, kHeadDim, kThreads>(value_tile, values, first_key, tokens);
  const int end_index = first_index + problem.members;
  if (T::kStages > 1) load_next(0);
  commit_copies();
  for (int index = first_index, query = first_key, stage = 0; index < end_index;
       stage = (stage + 1) % T::kStages) {
    if (next_index < end_index) load_next((stage + T::kStages - 1) % T::kStages);
    commit_copies();
    wait_for_copies<T::kStages - 1>();
    __syncthreads();  // the tile of this step is there
    if (query + T::kQueries > warp_first && query < warp_end) {
      const Bf16* const query_tile = query_tiles + stage * T::kQueryElements;
      const Bf16* const gradient_tile = gradient_tiles + stage * T::kQueryElements;
      const float* const log_sum = log_sums + stage * T::kQueries + lane % 4 * 2;
      const float* const delta = deltas + stage * T::kQueries + lane % 4 * 2;
      // Transposed: [keys, queries].
      PackedFragments<T::kRowBlocks, T::kQueryBlocks> weights;
      {
        Fragments<T::kRowBlocks, T::kQueryBlocks> scores;
        set_zero(scores);
        multiply_rows<kHeadDim>(scores, key_tile + warp_row * kTileStride<kHeadDim>, query_tile);
        if (query < warp_first + T::kWarpKeys - 1 || query + T::kQueries > end_of_sights[warp_row])
          hide_unseeing(scores, warp_first - query, query, end_of_sights + warp_row);
#pragma unroll
        for (int j = 0; j < T::kQueryBlocks; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const float shift = log_sum[j * 8 + e % 2] * kLog2E;
#pragma unroll
            for (int i = 0; i < T::kRowBlocks; ++i)
              scores[i][j][e] = exp2_approx(fmaf(scores[i][j][e], problem.scale * kLog2E, -shift));
          }
        pack_fragments(scores, weights);
      }
      multiply_weights<kHeadDim>(value_gradient, weights, gradient_tile + first_column);
      Fragments<T::kRowBlocks, T::kQueryBlocks> score_gradients;
      set_zero(score_gradients);
      multiply_rows<kHeadDim>(score_gradients, value_tile + warp_row * kTileStride<kHeadDim>, gradient_tile);
#pragma unroll
      for (int j = 0; j < T::kQueryBlocks; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e)
#pragma unroll
          for (int i = 0; i < T::kRowBlocks; ++i) {
            const uint32_t pair = weights[i][j][e / 2];
            score_gradients[i][j][e] = (e % 2 == 0 ? low_half(pair) : high_half(pair)) *
                                       (score_gradients[i][j][e] - delta[j * 8 + e % 2]);
          }
      multiply_weights<kHeadDim>(key_gradient, score_gradients, query_tile + first_column);
    }
    __syncthreads();  // nobody reads the tile any more
    query += T::kQueries;
    if (query >= end_query) {
      query = first_key;
      ++index;
    }
  }

  const int rows = warp_last - warp_first + 1, columns = static_cast<int>(args.head_dim) - first_column;
  const auto store = [&](auto* key_rows, auto* value_rows, int head) {
    const int64_t offset = (head * args.tokens + warp_first) * args.head_dim + first_column;
    store_rows(key_gradient, problem.scale, key_rows + offset, args.head_dim, rows, columns);
    store_rows(value_gradient, 1.0f, value_rows + offset, args.head_dim, rows, columns);
  };
  if (problem.key_parts != nullptr)
    store(problem.key_parts, problem.value_parts, first_index);
  else
    store(args.keys_gradient, args.values_gradient, kv_head);
}

// Adds the parts of a group's query heads, in their order; one thread a pair of numbers.
__global__ void __launch_bounds__(kThreads) add_parts_kernel(const Problem problem) {
  wait_for_inputs();
  let_next_start();
  const PackedAttentionBackward& args = problem.args;
  const int64_t size = args.tokens * args.head_dim, group = args.heads / args.kv_heads;
  const int64_t pair = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * 2;
  if (pair >= size) return;
  const int64_t kv_index = blockIdx.y;
  const float* const parts =
      (blockIdx.z == 0 ? problem.key_parts : problem.value_parts) + kv_index * group * size + pair;
  Bf16* const gradient = blockIdx.z == 0 ? args.keys_gradient : args.values_gradient;
  float first = 0, second = 0;
  for (int64_t member = 0; member < group; ++member) {
    const float2 part = *reinterpret_cast<const float2*>(parts + member * size);
    first += part.x;
    second += part.y;
  }
  store_pair(gradient + (problem.first_head / group + kv_index) * size + pair, first, second);
}

// ---------------------------------------------------------------- gradients of queries

template <int kHeadDim>
struct QueryTile {
  static constexpr int kRowBlocks = kHeadDim <= 64 ? 2 : 1;
  static constexpr int kWarpRows = kRowBlocks * 16;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kKeys = kHeadDim <= 128 ? 32 : 16;
  static constexpr int kKeyBlocks = kKeys / 8;
  static constexpr int kStages = kHeadDim <= 128 ? 2 : 1;
  static constexpr int kRowElements = kTileElements<kRows, kHeadDim>;
  static constexpr int kKeyElements = kTileElements<kKeys, kHeadDim>;
  static constexpr int64_t kSharedBytes =
      2 * (kRowElements + kStages * kKeyElements) * int64_t{sizeof(Bf16)} + kRows * int64_t{sizeof(int)};
};

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1) query_gradients_kernel(const Problem problem) {
  using T = QueryTile<kHeadDim>;
  wait_for_inputs();
  let_next_start();
  const PackedAttentionBackward& args = problem.args;
  Bf16* const query_tile = shared_memory<Bf16>();
  Bf16* const gradient_tile = query_tile + T::kRowElements;
  Bf16* const key_tiles = gradient_tile + T::kRowElements;                                        // [stages]
  Bf16* const value_tiles = key_tiles + T::kStages * T::kKeyElements;                             // [stages]
  int* const first_visible = reinterpret_cast<int*>(value_tiles + T::kStages * T::kKeyElements);  // [rows]

  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int tokens = static_cast<int>(args.tokens), index = static_cast<int>(blockIdx.x);
  const int head = problem.first_head + index, kv_head = head / static_cast<int>(args.heads / args.kv_heads);
  // The tiles with the most keys first.
  const int first_row = static_cast<int>(gridDim.y - 1 - blockIdx.y) * T::kRows;
  const int end_row = min(first_row + T::kRows, tokens);
  const TileSource keys = of_kv_head(args.keys, problem, kv_head);
  const TileSource values = of_kv_head(args.values, problem, kv_head);

  for (int row = thread; row < T::kRows; row += kThreads)
    first_visible[row] = first_row + row < tokens
                             ? first_visible_key(args.document_offsets, static_cast<int>(args.documents),
                                                 static_cast<int>(args.window), first_row + row)
                             : tokens;
  __syncthreads();
  const int warp_row = warp * T::kWarpRows, warp_first = first_row + warp_row;
  const int last_first_visible = first_visible[warp_row + T::kWarpRows - 1];
  const int begin = first_visible[0];

  float shift[T::kRowBlocks][2], delta[T::kRowBlocks][2];  // shift: log_sum_exp to the base 2
#pragma unroll
  for (int i = 0; i < T::kRowBlocks; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = min(warp_first + i * 16 + half * 8 + lane / 4, tokens - 1);
      shift[i][half] = args.log_sum_exp[head * args.tokens + row] * kLog2E;
      delta[i][half] = problem.delta[index * args.tokens + row];
    }

  const auto load = [&](int key) {
    const int stage = (key - begin) / T::kKeys % T::kStages;
    load_tile<T::kKeys, kHeadDim, kThreads>(key_tiles + stage * T::kKeyElements, keys, key, end_row);
    load_tile<T::kKeys, kHeadDim, kThreads>(value_tiles + stage * T::kKeyElements, values, key, end_row);
  };
  Fragments<T::kRowBlocks, kHeadDim / 8> query_gradient;
  set_zero(query_gradient);
  load_tile<T::kRows, kHeadDim, kThreads>(query_tile, of_head(args.query, problem, head), first_row, tokens);
  load_tile<T::kRows, kHeadDim, kThreads>(gradient_tile, of_head(args.output_gradient, problem, head),
                                          first_row, tokens);
  if (T::kStages > 1) load(begin);
  commit_copies();
  for (int key = begin; key < end_row; key += T::kKeys) {
    constexpr int kAhead = (T::kStages - 1) * T::kKeys;
    if (key + kAhead < end_row) load(key + kAhead);
    commit_copies();
    wait_for_copies<T::kStages - 1>();
    __syncthreads();  // the tile of this step is there
    if (key < warp_first + T::kWarpRows) {
      const int stage = (key - begin) / T::kKeys % T::kStages;
      const Bf16* const key_tile = key_tiles + stage * T::kKeyElements;
      Fragments<T::kRowBlocks, T::kKeyBlocks> weights, score_gradients;
      set_zero(weights);
      multiply_rows<kHeadDim>(weights, query_tile + warp_row * kTileStride<kHeadDim>, key_tile);
      if (key + T::kKeys - 1 > warp_first || key < last_first_visible)
        hide_unseen(weights, warp_first - key, key, first_visible + warp_row);
      set_zero(score_gradients);
      multiply_rows<kHeadDim>(score_gradients, gradient_tile + warp_row * kTileStride<kHeadDim>,
                              value_tiles + stage * T::kKeyElements);
#pragma unroll
      for (int i = 0; i < T::kRowBlocks; ++i)
#pragma unroll
        for (int j = 0; j < T::kKeyBlocks; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const float weight =
                exp2_approx(fmaf(weights[i][j][e], problem.scale * kLog2E, -shift[i][e / 2]));
            score_gradients[i][j][e] = weight * (score_gradients[i][j][e] - delta[i][e / 2]);
          }
      multiply_weights<kHeadDim>(query_gradient, score_gradients, key_tile);
    }
    __syncthreads();  // nobody reads the tile any more
  }
  store_rows(query_gradient, problem.scale,
             args.query_gradient + (warp_first * args.heads + head) * args.head_dim,
             args.heads * args.head_dim, tokens - warp_first, static_cast<int>(args.head_dim));
}

// ---------------------------------------------------------------- launches

template <int kHeadDim>
Status launch_backward(const Problem& problem, const Launch& where) {
  using K = KeyTile<kHeadDim>;
  using Q = QueryTile<kHeadDim>;
  const int64_t tokens = problem.args.tokens;
  const auto count = [](int64_t value) { return static_cast<unsigned>(value); };
  const Grid delta{dim3(count(divided_up(tokens, kWarps)), count(problem.heads)), dim3(kThreads)};
  if (const Status status = launch(delta_kernel, delta, problem, where)) return status;
  const Grid keys{dim3(count(problem.heads / problem.members), count(divided_up(tokens, K::kKeys)),
                       kHeadDim / K::kColumns),
                  dim3(kThreads), K::kSharedBytes};
  if (const Status status = launch(key_gradients_kernel<kHeadDim>, keys, problem, where)) return status;
  if (problem.key_parts != nullptr) {
    const int64_t group = problem.args.heads / problem.args.kv_heads;
    const Grid sums{dim3(count(divided_up(tokens * problem.args.head_dim / 2, kThreads)),
                         count(problem.heads / group), 2),
                    dim3(kThreads)};
    if (const Status status = launch(add_parts_kernel, sums, problem, where)) return status;
  }
  const Grid queries{dim3(count(problem.heads), count(divided_up(tokens, Q::kRows))), dim3(kThreads),
                     Q::kSharedBytes};
  return launch(query_gradients_kernel<kHeadDim>, queries, problem, where);
}

Status launch_backward(const Problem& problem, const Launch& where) {
  if (problem.args.head_dim <= 32) return launch_backward<32>(problem, where);
  if (problem.args.head_dim <= 64) return launch_backward<64>(problem, where);
  if (problem.args.head_dim <= 80) return launch_backward<80>(problem, where);
  if (problem.args.head_dim <= 96) return launch_backward<96>(problem, where);
  if (problem.args.head_dim <= 128) return launch_backward<128>(problem, where);
  return launch_backward<256>(problem, where);
}

}  // namespace

Status packed_attention_backward(const PackedAttentionBackward& args, const Launch& where) {
  if (args.tokens == 0) return 0;
  const int64_t group = args.heads / args.kv_heads;
  const int64_t delta_floats = divided_up(group * args.tokens, 64) * 64;  // of one key/value head
  const int64_t part_floats = divided_up(group * args.tokens * args.head_dim, 64) * 64;
  const int64_t room = where.scratch_bytes / int64_t{sizeof(float)};
  if (room < delta_floats) return cudaErrorMemoryAllocation;

  // A block that adds the whole group's gradients needs no parts, but where keys are few it leaves
  // multiprocessors idle, and the first keys' blocks, which all later queries see, are waited for at the end.
  const int64_t blocks = args.kv_heads * divided_up(args.tokens, 64);
  const bool in_parts =
      group > 1 && blocks < 8 * where.device->multiprocessors && room >= delta_floats + 2 * part_floats;
  const int64_t floats = delta_floats + (in_parts ? 2 * part_floats : 0);
  const int64_t kv_heads = room / floats < args.kv_heads ? room / floats : args.kv_heads;  // of one piece

  Problem problem = {};
  problem.args = args;
  problem.members = static_cast<int>(in_parts ? 1 : group);
  problem.scale = static_cast<float>(1 / sqrt(static_cast<double>(args.head_dim)));
  problem.aligned =
      rows_are_aligned(args.query, args.head_dim) && rows_are_aligned(args.keys, args.head_dim) &&
      rows_are_aligned(args.values, args.head_dim) && rows_are_aligned(args.output_gradient, args.head_dim);
  problem.delta = static_cast<float*>(where.scratch);
  if (in_parts) {
    problem.key_parts = problem.delta + kv_heads * delta_floats;
    problem.value_parts = problem.key_parts + kv_heads * part_floats;
  }
  for (int64_t first = 0; first < args.kv_heads; first += kv_heads) {
    const int64_t taken = args.kv_heads - first < kv_heads ? args.kv_heads - first : kv_heads;
    problem.first_head = static_cast<int>(first * group);
    problem.heads = static_cast<int>(taken * group);
    if (const Status status = launch_backward(problem, where)) return status;
  }
  return 0;
}

}  // namespace msn::kernels
