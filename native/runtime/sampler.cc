// The sampling paragraph of docs/method.md, in double.
#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "base/philox.h"

namespace msn {
namespace {

void check_number(const char* name, double value, bool in_range, const char* expected) {
  if (in_range) return;  // false for NaN
  std::ostringstream message;
  message << "expected " << expected << ", received " << value;
  throw Error(ErrorCode::kInvalidArgument, message.str(), name);
}

}  // namespace

void check_sampling(const SamplingOptions& options) {
  check_number("sampling.temperature", options.temperature,
               options.temperature >= 0 && std::isfinite(options.temperature), "a number of at least 0");
  check_number("sampling.topK", options.top_k, options.top_k >= 0, "an integer of at least 0");
  check_number("sampling.topP", options.top_p, options.top_p > 0 && options.top_p <= 1,
               "a number above 0, at most 1");
  check_number("sampling.minP", options.min_p, options.min_p >= 0 && options.min_p <= 1,
               "a number from 0 to 1");
  check_number("sampling.repetitionPenalty", options.repetition_penalty,
               options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
               "a number above 0");
}

Sampler::Sampler(const SamplingOptions& options, int64_t vocabulary_size)
    : options_(options), is_known_(vocabulary_size) {}

void Sampler::add_known(int32_t token) {
  if (is_known_[token]) return;
  is_known_[token] = true;
  known_.push_back(token);
}

int32_t Sampler::choose(std::span<const float> logits, std::span<const int32_t> path, int64_t index) {
  scores_.resize(logits.size());
  for (size_t token = 0; token < logits.size(); ++token)
    scores_[token] =
        std::isnan(logits[token]) ? -std::numeric_limits<double>::infinity() : double{logits[token]};
  if (options_.repetition_penalty != 1) {
    for (const int32_t token : known_) penalize(token);
    for (size_t i = 0; i < path.size(); ++i) {
      const bool counted =
          is_known_[path[i]] || std::find(path.begin(), path.begin() + i, path[i]) != path.begin() + i;
      if (!counted) penalize(path[i]);
    }
  }
  if (options_.temperature == 0)
    return static_cast<int32_t>(std::max_element(scores_.begin(), scores_.end()) - scores_.begin());
  return draw(index);
}

void Sampler::penalize(int32_t token) {
  double& score = scores_[token];
  score = score > 0 ? score / options_.repetition_penalty : score * options_.repetition_penalty;
}

int32_t Sampler::draw(int64_t index) {
  candidates_.resize(scores_.size());
  for (size_t token = 0; token < scores_.size(); ++token)
    candidates_[token] = {scores_[token] / options_.temperature, static_cast<int32_t>(token)};
  keep_top_k();
  const double highest = std::max_element(candidates_.begin(), candidates_.end(), falls_behind)->weight;
  if (!std::isfinite(highest))  // nothing to draw from: as at temperature 0
    return std::max_element(candidates_.begin(), candidates_.end(), falls_behind)->token;
  for (Candidate& candidate : candidates_) candidate.weight = std::exp(candidate.weight - highest);
  std::make_heap(candidates_.begin(), candidates_.end(), falls_behind);
  keep_top_p();
  keep_min_p();

  const double threshold =
      RandomDraw(options_.seed, RandomStream::kSampling, static_cast<uint32_t>(index)).unit() *
      total_weight();
  double cumulated = 0;
  Candidate drawn;
  do {
    drawn = pop();
    cumulated += drawn.weight;
  } while (cumulated <= threshold && !candidates_.empty());
  return drawn.token;
}

void Sampler::keep_top_k() {
  const size_t count = static_cast<size_t>(options_.top_k);
  if (count == 0 || count >= candidates_.size()) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + count, candidates_.end(),
                   [](const Candidate& a, const Candidate& b) { return falls_behind(b, a); });
  candidates_.resize(count);
}

void Sampler::keep_top_p() {
  if (options_.top_p == 1) return;
  const double wanted = options_.top_p * total_weight();
  nucleus_.clear();
  for (double reached = 0; reached < wanted && !candidates_.empty(); reached += nucleus_.back().weight)
    nucleus_.push_back(pop());
  candidates_.swap(nucleus_);  // in falling order, which is a heap
}

void Sampler::keep_min_p() {
  if (options_.min_p == 0) return;
  const double lowest = options_.min_p * candidates_.front().weight;
  std::erase_if(candidates_, [=](const Candidate& candidate) { return candidate.weight < lowest; });
  std::make_heap(candidates_.begin(), candidates_.end(), falls_behind);
}

double Sampler::total_weight() const {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  return total;
}

Sampler::Candidate Sampler::pop() {
  std::pop_heap(candidates_.begin(), candidates_.end(), falls_behind);
  const Candidate candidate = candidates_.back();
  candidates_.pop_back();
  return candidate;
}

bool Sampler::falls_behind(const Candidate& a, const Candidate& b) {
  return a.weight < b.weight || (a.weight == b.weight && a.token > b.token);
}

}  // namespace msn
