// One node a task: its tokens are sorted by falling probability, cut by top-k, top-p and min-p, and drawn
// from.
#include "ops/sample_tokens.h"

#include "base/sampling.h"
#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr float kNothing = -__builtin_inff();

bool stands_below(const SampleTokens& args, int64_t node, int32_t token) {
  for (; node >= 0; node = args.parents.i32()[node])
    if (args.tokens.i32()[node] == token) return true;
  return false;
}

// scores: f32 [vocabulary]. Every known token and every token of the path counts once.
void penalize(const SampleTokens& args, int64_t node, float penalty, float* scores) {
  const uint8_t* is_known = args.is_known.as<const uint8_t>();
  for (int64_t token = 0; token < args.logits.shape[1]; ++token)
    if (is_known[token]) scores[token] = sampling::penalized(scores[token], penalty);
  for (int64_t step = node; step >= 0; step = args.parents.i32()[step]) {
    const int32_t token = args.tokens.i32()[step];
    if (!is_known[token] && !stands_below(args, args.parents.i32()[step], token))
      scores[token] = sampling::penalized(scores[token], penalty);
  }
}

int32_t best_of(const float* scores, int64_t vocabulary) {
  int32_t best = 0;
  for (int32_t token = 1; token < vocabulary; ++token)
    if (scores[token] > scores[best]) best = token;
  return best;
}

// Candidates are numbers in falling order of probability, the lower id first: distance, then token.
uint64_t candidate(uint32_t distance, int32_t token) {
  return uint64_t{distance} << 32 | static_cast<uint32_t>(token);
}
uint64_t weight(uint64_t candidate) { return sampling::weight(static_cast<uint32_t>(candidate >> 32)); }

// Puts `value` where it belongs in the part of the heap below `slot`, which is free; the largest is on top.
void sift_down(uint64_t* heap, int64_t size, int64_t slot, uint64_t value) {
  while (true) {
    int64_t child = 2 * slot + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1] > heap[child]) ++child;
    if (heap[child] < value) break;
    heap[slot] = heap[child];
    slot = child;
  }
  heap[slot] = value;
}

void sort(uint64_t* values, int64_t count) {
  for (int64_t slot = count / 2 - 1; slot >= 0; --slot) sift_down(values, count, slot, values[slot]);
  for (int64_t size = count - 1; size > 0; --size) {
    const uint64_t last = values[size];
    values[size] = values[0];
    sift_down(values, size, 0, last);
  }
}

uint64_t total_weight(const uint64_t* candidates, int64_t count) {
  uint64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += weight(candidates[i]);
  return total;
}

// How many of the first candidates it takes to reach a sum.
int64_t reaching(const uint64_t* candidates, int64_t count, uint64_t sum) {
  uint64_t reached = 0;
  int64_t taken = 0;
  while (taken < count && reached < sum) reached += weight(candidates[taken++]);
  return taken;
}

// candidates: [count], sorted, each with a weight.
int32_t draw(const SamplingOptions& options, const uint64_t* candidates, int64_t count, int32_t index) {
  if (options.top_k > 0 && options.top_k < count) count = options.top_k;
  if (options.top_p < 1)
    count =
        reaching(candidates, count, sampling::sum_reaching(options.top_p, total_weight(candidates, count)));
  const uint64_t least = sampling::least_weight(options.min_p);
  while (weight(candidates[count - 1]) < least) --count;
  const RandomDraw random(options.seed, RandomStream::kSampling, static_cast<uint32_t>(index));
  const uint64_t sum = sampling::sum_exceeding(random, total_weight(candidates, count));
  return static_cast<int32_t>(candidates[reaching(candidates, count, sum) - 1]);
}

// scores: f32 [vocabulary]; candidates: room for [vocabulary].
int32_t choose(const SampleTokens& args, int64_t node, float* scores, uint64_t* candidates) {
  const SamplingOptions& options = *args.options.as<const SamplingOptions>();
  const int64_t vocabulary = args.logits.shape[1];
  const float* logits = args.logits.f32() + node * vocabulary;
  for (int64_t token = 0; token < vocabulary; ++token)
    scores[token] = logits[token] == logits[token] ? logits[token] : kNothing;
  if (options.repetition_penalty != 1)
    penalize(args, node, static_cast<float>(options.repetition_penalty), scores);
  const int32_t best = best_of(scores, vocabulary);
  const float highest = scores[best];
  if (options.temperature == 0 || !(__builtin_fabsf(highest) < -kNothing)) return best;
  const float units = sampling::units_of_logit(options.temperature);
  int64_t count = 0;
  for (int32_t token = 0; token < vocabulary; ++token) {
    const uint32_t distance = sampling::distance(highest, scores[token], units);
    if (sampling::weight(distance) > 0) candidates[count++] = candidate(distance, token);
  }
  sort(candidates, count);
  return draw(options, candidates, count, args.known_count.i32()[0] + args.depths.i32()[node]);
}

}  // namespace

void run(Context& context, const SampleTokens& args) {
  const int64_t nodes = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  std::byte* scratch = context.scratch(vocabulary * static_cast<int64_t>(sizeof(uint64_t) + sizeof(float)));
  context.parallel_for(nodes, nodes * vocabulary, [&](int64_t node, int thread) {
    auto* candidates = reinterpret_cast<uint64_t*>(scratch + thread * context.scratch_stride());
    auto* scores = reinterpret_cast<float*>(candidates + vocabulary);
    args.choices.as<int32_t>()[node] = choose(args, node, scores, candidates);
  });
}

}  // namespace msn::cpu::MSN_ISA
