// One token of each row of logits [nodes, vocabulary], one block a row, the same token as on every engine:
// weights are integers (base/sampling.h), so sums have no order.
//
// A token is an element: its distance from the highest logit, then its id, as one number. Elements in rising
// order are tokens in falling order of probability. Top-k, top-p and the draw each ask for the element at
// which a sum over that order, of ones or of weights, reaches a bound. It is found by sums over 2048 ranges
// of elements, then over the parts of the one range in which the bound lies, until few elements are left.
#include "base/decode_step.h"
#include "base/sampling.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "kernels/rank.h"
#include "kernels/runs.h"
#include "kernels/sample_tokens.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 1024;  // rows are few: as many as a block can have
constexpr int kTokenBits = 22;
constexpr int kElementBits = 31 + kTokenBits;
constexpr int kRangeBits = 11;
constexpr int kRanges = 1 << kRangeBits;
constexpr int kRangesOfThread = kRanges / kThreads;
constexpr int kRun = 8;      // neighbouring logits that a thread reads at once
constexpr int kRoom = 1024;  // elements that are compared with each other

using Element = unsigned long long;
using Sum = unsigned long long;

struct Sampling {
  SampleTokens args;
  bool whole;  // rows consist of aligned runs
};

// A sum in shared memory that many threads add to. There is no instruction for 64 bits, only a loop that
// tries until no other thread has come between; each addition to the lower half carries by itself, in any
// order.
struct SharedSum {
  uint32_t low, high;

  __device__ __forceinline__ void add(Sum value) {
    const uint32_t lower = static_cast<uint32_t>(value);
    const uint32_t before = atomicAdd(&low, lower);
    const uint32_t upper = static_cast<uint32_t>(value >> 32) + (before + lower < lower ? 1 : 0);
    if (upper != 0) atomicAdd(&high, upper);
  }
  __device__ __forceinline__ Sum value() const { return Sum{high} << 32 | low; }
};

struct Shared {
  union {
    SharedSum ranges[kRanges];
    Sum measures[kRoom];  // of the elements in `list`
    int32_t parents[kMostDraftNodes];
  };
  Element list[kRoom];
  Sum of_warp[kThreads / 32];
  Rank ranks[kThreads / 32];
  Sum before;  // in front of the range that was chosen
  Element found;
  unsigned chosen;
  unsigned listed;
  // The tokens of the node's path, and a bit for each of their ids modulo 1024.
  int32_t path[kMostDraftNodes];
  int32_t path_length;
  uint32_t path_bits[32];
};

// What the block of a row knows of it.
struct Row {
  const SampleTokens* args;
  const float* logits;  // [vocabulary]
  bool whole;           // Sampling::whole
  const Shared* shared;
  float penalty;
  float units;  // of distance, in a logit
  float highest;
  Element last;  // elements behind it are cut off

  __device__ __forceinline__ bool is_penalized(int token) const {
    if (args->is_known[token]) return true;
    if (!(shared->path_bits[token / 32 % 32] >> token % 32 & 1)) return false;
    for (int32_t i = 0; i < shared->path_length; ++i)
      if (shared->path[i] == token) return true;
    return false;
  }
  __device__ __forceinline__ float score(int token, float logit) const {
    if (logit != logit) return -INFINITY;
    return penalty != 1 && is_penalized(token) ? sampling::penalized(logit, penalty) : logit;
  }
  // Calls visit(token, score) for all tokens, shared out among the threads of the block.
  template <class Visit>
  __device__ __forceinline__ void visit_scores(Visit&& visit) const {
    const int vocabulary = static_cast<int>(args->vocabulary);
    for (int first = static_cast<int>(threadIdx.x) * kRun; first < vocabulary; first += kThreads * kRun) {
      float run[kRun];
      if (whole)
        load_run<true>(logits + first, vocabulary - first, run);
      else
        load_run<false>(logits + first, vocabulary - first, run);
#pragma unroll
      for (int i = 0; i < kRun; ++i)
        if (first + i < vocabulary) visit(first + i, score(first + i, run[i]));
    }
  }
};

// One, or the weight.
template <bool kWeighs>
__device__ __forceinline__ Sum measure_of(Element element) {
  return kWeighs ? sampling::weight(static_cast<uint32_t>(element >> kTokenBits)) : 1;
}

// The last element of at least this weight: weights never rise with the distance.
__device__ __forceinline__ Element last_of_weight(uint64_t least) {
  uint32_t distance = 0;
  for (uint32_t step = (sampling::kFarthest + 1) / 2; step > 0; step /= 2)
    if (sampling::weight(distance + step) >= least) distance += step;
  return ((Element{distance} + 1) << kTokenBits) - 1;
}

__device__ __forceinline__ void read_path(const SampleTokens& args, int64_t node, Shared& shared) {
  for (int64_t i = threadIdx.x; i < args.nodes; i += kThreads) shared.parents[i] = args.parents[i];
  if (threadIdx.x < 32) shared.path_bits[threadIdx.x] = 0;
  __syncthreads();
  if (threadIdx.x == 0) {
    int32_t length = 0;
    for (int64_t step = node; step >= 0; step = shared.parents[step]) {
      const int32_t token = args.tokens[step];
      shared.path[length++] = token;
      shared.path_bits[token / 32 % 32] |= 1u << token % 32;
    }
    shared.path_length = length;
  }
  __syncthreads();
}

// Calls visit(element) for the elements that are not cut off and begin, without their lowest `bits` bits, as
// `first` does.
template <class Visit>
__device__ __forceinline__ void visit_range(const Row& row, Element first, int bits, Visit&& visit) {
  row.visit_scores([&](int token, float score) {
    const Element distance = sampling::distance(row.highest, score, row.units);
    const Element element = distance << kTokenBits | static_cast<unsigned>(token);
    if (element <= row.last && element >> bits == first >> bits) visit(element);
  });
}

// The sum over all ranges, and in shared memory the range in which it reaches bound(sum).
template <class Bound>
__device__ __forceinline__ Sum choose_range(Shared& shared, Bound&& bound) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  Sum ranges[kRangesOfThread];
#pragma unroll
  for (int i = 0; i < kRangesOfThread; ++i) ranges[i] = shared.ranges[thread * kRangesOfThread + i].value();
  Sum own = 0;
#pragma unroll
  for (int i = 0; i < kRangesOfThread; ++i) own += ranges[i];
  Sum upto = own;  // of the warp, this thread included
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const Sum other = __shfl_up_sync(kWholeWarp, upto, distance);
    if (lane >= distance) upto += other;
  }
  if (lane == 31) shared.of_warp[thread / 32] = upto;
  __syncthreads();
  Sum before = upto - own, total = 0;
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    if (warp < thread / 32) before += shared.of_warp[warp];
    total += shared.of_warp[warp];
  }
  const Sum wanted = bound(total);
#pragma unroll
  for (int i = 0; i < kRangesOfThread; ++i) {
    if (before < wanted && wanted <= before + ranges[i]) {
      shared.chosen = static_cast<unsigned>(thread * kRangesOfThread + i);
      shared.before = before;
    }
    before += ranges[i];
  }
  __syncthreads();
  return wanted;
}

// The element at which the sum over the elements that are not cut off reaches bound(sum over all), 1 to all.
template <bool kWeighs, class Bound>
__device__ __forceinline__ Element find(const Row& row, Shared& shared, Bound&& bound) {
  Element first = 0;
  Sum wanted = 0;
  for (int bits = kElementBits;;) {
    const bool whole = bits == kElementBits;
    const int rest = bits > kRangeBits ? bits - kRangeBits : 0;
    for (int i = static_cast<int>(threadIdx.x); i < kRanges; i += kThreads) shared.ranges[i] = {0, 0};
    if (threadIdx.x == 0) shared.listed = 0;
    __syncthreads();
    visit_range(row, first, bits, [&](Element element) {
      shared.ranges[element >> rest & (kRanges - 1)].add(measure_of<kWeighs>(element));
    });
    __syncthreads();
    wanted = choose_range(shared, [&](Sum total) { return whole ? bound(total) : wanted; }) - shared.before;
    first = first >> bits << bits | Element{shared.chosen} << rest;
    bits = rest;
    visit_range(row, first, bits, [&](Element element) {
      const unsigned place = atomicAdd(&shared.listed, 1u);
      if (place >= kRoom) return;
      shared.list[place] = element;
      shared.measures[place] = measure_of<kWeighs>(element);
    });
    __syncthreads();
    if (shared.listed <= kRoom) break;
    __syncthreads();
  }
  const int listed = static_cast<int>(shared.listed);
  for (int i = static_cast<int>(threadIdx.x); i < listed; i += kThreads) {
    Sum before = 0;
    for (int j = 0; j < listed; ++j)
      if (shared.list[j] < shared.list[i]) before += shared.measures[j];
    if (before < wanted && wanted <= before + shared.measures[i]) shared.found = shared.list[i];
  }
  __syncthreads();
  return shared.found;
}

__device__ __forceinline__ int32_t draw(Row& row, Shared& shared, int64_t node) {
  const SamplingOptions& options = *row.args->options;
  row.last = last_of_weight(1);
  if (options.top_k > 0)
    row.last = find<false>(row, shared, [&](Sum all) {
      const Sum wanted = static_cast<unsigned>(options.top_k);
      return wanted < all ? wanted : all;
    });
  if (options.top_p < 1)
    row.last = find<true>(row, shared, [&](Sum all) { return sampling::sum_reaching(options.top_p, all); });
  if (options.min_p > 0) row.last = min(row.last, last_of_weight(sampling::least_weight(options.min_p)));
  const uint32_t index = static_cast<uint32_t>(row.args->known_count[0] + row.args->depths[node]);
  const RandomDraw random(options.seed, RandomStream::kSampling, index);
  const Element drawn =
      find<true>(row, shared, [&](Sum all) { return sampling::sum_exceeding(random, all); });
  return static_cast<int32_t>(drawn & ((Element{1} << kTokenBits) - 1));
}

__global__ void __launch_bounds__(kThreads) sample_tokens_kernel(const Sampling sampled) {
  wait_for_inputs();
  let_next_start();
  const SampleTokens& args = sampled.args;
  const SamplingOptions& options = *args.options;
  Shared& shared = *shared_memory<Shared>();
  const int64_t node = blockIdx.x;
  Row row;
  row.args = &args;
  row.logits = args.logits + node * args.vocabulary;
  row.whole = sampled.whole;
  row.shared = &shared;
  row.penalty = static_cast<float>(options.repetition_penalty);
  row.units = options.temperature != 0 ? sampling::units_of_logit(options.temperature) : 0;
  if (row.penalty != 1) read_path(args, node, shared);

  Rank rank = kNoRank;
  row.visit_scores([&](int token, float score) { rank = higher(rank, rank_of(score, token)); });
  const int best = static_cast<int>(index_of(block_highest<kThreads>(rank, shared.ranks)));
  row.highest = row.score(best, row.logits[best]);
  const bool draws = options.temperature != 0 && fabsf(row.highest) < INFINITY;
  const int32_t choice = draws ? draw(row, shared, node) : best;
  if (threadIdx.x == 0) args.choices[node] = choice;
}

}  // namespace

Status sample_tokens(const SampleTokens& args, const Launch& where) {
  const Grid grid{dim3(static_cast<unsigned>(args.nodes)), dim3(kThreads),
                  static_cast<int64_t>(sizeof(Shared))};
  const Sampling sampled{args, whole_runs<kRun>(args.vocabulary, args.logits)};
  return launch(sample_tokens_kernel, grid, sampled, where);
}

}  // namespace msn::kernels
