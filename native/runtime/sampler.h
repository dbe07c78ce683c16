// From a row of logits to one token: repetition penalty, temperature, top-k, top-p, min-p and the draw.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/decoding.h"

namespace msn {

// Throws ERR_INVALID_ARGUMENT naming the option out of range.
void check_sampling(const SamplingOptions& options);

// Greedy without a penalty is an argmax, which the backend does.
inline bool is_plain_argmax(const SamplingOptions& options) {
  return options.temperature == 0 && options.repetition_penalty == 1;
}

// The draw is a function of seed, position and logits alone, so that every decoding method draws the same
// text.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, int64_t vocabulary_size);
  // A token of the prompt or of the new tokens, for the penalty.
  void add_known(int32_t token);
  // `logits`: f32 [vocabulary]. `path`: the tokens of the node's path below the root, the node included, all
  // counted by the penalty. `index`: the place in the text that the token will have.
  int32_t choose(std::span<const float> logits, std::span<const int32_t> path, int64_t index);

 private:
  struct Candidate {
    double weight;  // the scaled logit, then its exponential, which is its probability but for a factor
    int32_t token;
  };
  static bool falls_behind(const Candidate& a, const Candidate& b);
  void penalize(int32_t token);
  int32_t draw(int64_t index);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  double total_weight() const;
  Candidate pop();  // the most probable that is left, the lower id on a tie

  const SamplingOptions options_;
  std::vector<bool> is_known_;  // [vocabulary]
  std::vector<int32_t> known_;  // distinct
  std::vector<double> scores_;  // [vocabulary]: penalised logits
  // A heap, the most probable on top: most draws end after a few tokens, and a whole sort would cost more
  // than the forward pass of a small model.
  std::vector<Candidate> candidates_;
  std::vector<Candidate> nucleus_;
};

}  // namespace msn
