// The k highest of each row of logits [rows, vocabulary], exactly. A row is cut into segments, one block
// each; the block that finishes a row last merges the segments' results.
//
// A block deals its segment to its threads in stripes. The k highest elements lie in the k stripes with the
// highest maxima: an element of any other stripe has k maxima above it. So one pass over the segment leaves k
// stripes; dealt out anew they leave k shorter ones, until every thread holds at most one element and the
// block sorts. For k = 1 the maximum of the maxima is all there is to find.
#include <algorithm>

#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "kernels/rank.h"
#include "kernels/top_k.h"

namespace msn::kernels {
namespace {

constexpr int kQuad = 4;  // neighbours that a thread reads at once

struct Segments {
  TopK args;
  int64_t count;      // of a row
  int64_t length;     // of each but the last, a multiple of kQuad
  Rank* highest;      // [results, count, k] if count > 1
  uint32_t* tickets;  // [results]
};

// The rank of the highest element of stripe `thread` of values[0 .. length): the quads thread,
// thread + kThreads, ... Ranks count from `first` on. kAligned: `values` is aligned to 16 bytes and `length`
// a multiple of kQuad.
template <int kThreads, bool kAligned>
__device__ __forceinline__ Rank highest_of_stripe(const float* values, int64_t length, int64_t first) {
  float highest = -INFINITY;
  int at = -1;
#pragma unroll 4
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kQuad; i < length; i += kThreads * kQuad) {
    float quad[kQuad];
    if (kAligned) {
      const float4 loaded = *reinterpret_cast<const float4*>(values + i);
      quad[0] = loaded.x, quad[1] = loaded.y, quad[2] = loaded.z, quad[3] = loaded.w;
    } else {
#pragma unroll
      for (int j = 0; j < kQuad; ++j) quad[j] = i + j < length ? values[i + j] : -INFINITY;
    }
#pragma unroll
    for (int j = 0; j < kQuad; ++j) {
      at = quad[j] > highest ? static_cast<int>(i) + j : at;
      highest = quad[j] > highest ? quad[j] : highest;
    }
  }
  if (at >= 0) return rank_of(highest, first + at);
  // Nothing above minus infinity: infinities, what is no number, or no element at all.
  Rank rank = kNoRank;
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kQuad; i < length; i += kThreads * kQuad)
    for (int64_t j = i; j < i + kQuad && j < length; ++j) rank = higher(rank, rank_of(values[j], first + j));
  return rank;
}

// The threads that own the k highest of one rank a thread, in any order, to chosen[0 .. k); -1 where there
// are fewer. `exchange`: as for block_sort.
template <int kThreads>
__device__ __forceinline__ void choose_threads(Rank rank, int k, Rank* exchange, int* chosen, int* found) {
  block_sort<kThreads>(rank, exchange);
  const Rank lowest = exchange[k - 1];
  if (threadIdx.x == 0) *found = 0;
  if (static_cast<int>(threadIdx.x) < k) chosen[threadIdx.x] = -1;
  __syncthreads();
  if (rank != kNoRank && rank >= lowest) chosen[atomicAdd(found, 1)] = static_cast<int>(threadIdx.x);
  __syncthreads();
}

// Thread i gets the rank of the i-th highest element of the segment, i < k.
template <int kThreads, bool kAligned>
__device__ __forceinline__ Rank highest_of_segment(const float* values, int64_t length, int64_t first,
                                                   int k) {
  Rank* const exchange = shared_memory<Rank>();                      // [kThreads]
  int* const stripes = reinterpret_cast<int*>(exchange + kThreads);  // [kMostWanted]
  int* const threads = stripes + kMostWanted;                        // [kMostWanted]
  int* const found = threads + kMostWanted;                          // [1]
  const int thread = static_cast<int>(threadIdx.x);

  choose_threads<kThreads>(highest_of_stripe<kThreads, kAligned>(values, length, first), k, exchange, stripes,
                           found);
  const int64_t of_stripe = divided_up(length, kThreads * kQuad) * kQuad;
  const auto element = [&](int64_t candidate) {
    const int stripe = stripes[candidate / of_stripe];
    const int64_t in_stripe = candidate % of_stripe;
    const int64_t at = (in_stripe / kQuad * kThreads + stripe) * kQuad + in_stripe % kQuad;
    return stripe >= 0 && at < length ? rank_of(values[at], first + at) : kNoRank;
  };
  const int64_t candidates = k * of_stripe;
  if (candidates <= kThreads)
    return block_sort<kThreads>(thread < candidates ? element(thread) : kNoRank, exchange);

  Rank rank = kNoRank;
  for (int64_t candidate = thread; candidate < candidates; candidate += kThreads)
    rank = higher(rank, element(candidate));
  choose_threads<kThreads>(rank, k, exchange, threads, found);
  const int64_t of_thread = divided_up(candidates, kThreads);
  rank = kNoRank;
  if (thread < k * of_thread && threads[thread / of_thread] >= 0) {
    const int64_t candidate = threads[thread / of_thread] + thread % of_thread * kThreads;
    if (candidate < candidates) rank = element(candidate);
  }
  return block_sort<kThreads>(rank, exchange);
}

// The longest segment whose twice reduced candidates fit one a thread.
constexpr int64_t longest_segment(int64_t threads, int64_t k) {
  const int64_t of_thread = threads / k, of_stripe = of_thread * threads / k;
  return of_stripe / kQuad * kQuad * threads;
}

__device__ __forceinline__ void write_result(const TopK& args, int64_t result, const float* row, int place,
                                             Rank rank) {
  const int64_t index = index_of(rank);
  args.indices[result * args.k + place] = static_cast<int32_t>(index);
  if (args.values != nullptr) args.values[result * args.k + place] = row[index];
}

template <int kThreads, bool kAligned, bool kOne>
__global__ void __launch_bounds__(kThreads, 1) top_k_kernel(const Segments plan) {
  wait_for_inputs();
  let_next_start();
  const TopK& args = plan.args;
  const int64_t result = blockIdx.x, segment = blockIdx.y;
  const int64_t row = args.rows != nullptr ? args.rows[result] : result;
  if (row < 0) return;
  const float* const logits = args.logits + row * args.vocabulary;
  const int64_t first = segment * plan.length;
  const int64_t length = args.vocabulary - first < plan.length ? args.vocabulary - first : plan.length;
  const int k = kOne ? 1 : static_cast<int>(args.k), thread = static_cast<int>(threadIdx.x);
  Rank* const exchange = shared_memory<Rank>();

  Rank rank;
  if constexpr (kOne) {
    rank = block_highest<kThreads>(highest_of_stripe<kThreads, kAligned>(logits + first, length, first),
                                   exchange);
  } else {
    rank = highest_of_segment<kThreads, kAligned>(logits + first, length, first, k);
  }
  if (plan.count > 1) {
    Rank* const of_row = plan.highest + result * plan.count * k;
    if (thread < k) of_row[segment * k + thread] = rank;
    if (!arrives_last(plan.tickets + result, static_cast<unsigned>(plan.count),
                      reinterpret_cast<unsigned*>(exchange)))
      return;
    __syncthreads();
    rank = thread < plan.count * k ? of_row[thread] : kNoRank;
    rank = kOne ? block_highest<kThreads>(rank, exchange) : block_sort<kThreads>(rank, exchange);
  }
  if (thread < k) write_result(args, result, logits, thread, rank);
}

// How many segments a row is cut into: as many as keep all multiprocessors busy, none of fewer than four
// quads a thread, no more than one block can merge.
template <int kThreads, bool kOne>
int64_t segments_of_row(const TopK& args, int64_t least, const Launch& where) {
  constexpr int64_t kBlocksOfMultiprocessor = kOne ? 8 : 1024 / kThreads;
  const int64_t wanted = where.device->multiprocessors * kBlocksOfMultiprocessor / args.results;
  const int64_t useful = args.vocabulary / (4 * kThreads * kQuad), mergeable = kThreads / args.k;
  const int64_t room = where.scratch_bytes / (args.results * args.k * static_cast<int64_t>(sizeof(Rank)));
  return std::max(least, std::min({wanted, useful, mergeable, room}));
}

int64_t least_segments(const TopK& args, int64_t threads) {
  return args.k == 1 ? 1 : divided_up(args.vocabulary, longest_segment(threads, args.k));
}

template <int kThreads, bool kOne>
Status launch_segments(TopK args, const Launch& where) {
  const int64_t least = least_segments(args, kThreads);
  const bool aligned = args.vocabulary % kQuad == 0 && reinterpret_cast<uintptr_t>(args.logits) % 16 == 0;
  const int64_t all = args.results;
  for (int64_t first = 0; first < all; first += kTickets) {
    args.results = std::min(all - first, kTickets);
    Segments plan;
    plan.args = args;
    plan.length =
        divided_up(args.vocabulary, segments_of_row<kThreads, kOne>(args, least, where) * kQuad) * kQuad;
    plan.count = divided_up(args.vocabulary, plan.length);
    plan.highest = static_cast<Rank*>(where.scratch);
    plan.tickets = where.tickets;
    const Grid grid{dim3(static_cast<unsigned>(args.results), static_cast<unsigned>(plan.count)),
                    dim3(kThreads),
                    kThreads * static_cast<int64_t>(sizeof(Rank)) + (2 * kMostWanted + 1) * 4};
    const Status status =
        launch(aligned ? top_k_kernel<kThreads, true, kOne> : top_k_kernel<kThreads, false, kOne>, grid, plan,
               where);
    if (status != 0) return status;
    if (args.rows != nullptr) {
      args.rows += args.results;
    } else {
      args.logits += args.results * args.vocabulary;
    }
    args.indices += args.results * args.k;
    if (args.values != nullptr) args.values += args.results * args.k;
  }
  return 0;
}

}  // namespace

// Small blocks sort sooner and are more; where much is wanted their segments would be too short, or too many
// to merge.
Status top_k(const TopK& args, const Launch& where) {
  if (args.k == 1) return launch_segments<256, true>(args, where);
  if (args.k <= 16 && least_segments(args, 256) * args.k <= 256)
    return launch_segments<256, false>(args, where);
  return launch_segments<1024, false>(args, where);
}

}  // namespace msn::kernels
