// Single forward passes, without decoding: what the tests compare and `msn bench` times.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "model/model.h"

namespace msn {

struct PassRequest {
  std::vector<int32_t> prefix;   // may be empty
  std::vector<int32_t> tokens;   // [nodes], at least one
  std::vector<int32_t> parents;  // [nodes]: index of an earlier node; -1 follows the prefix
  int64_t chunk = 64;            // tokens of the prefix in one pass, at least 1
};

// Logits of every node of one pass behind the cached prefix: f32 [nodes * vocabulary].
// Throws ERR_INVALID_ARGUMENT for ids outside the vocabulary, parents that are no earlier node, and a prefix
// and nodes that exceed the context.
std::vector<float> pass_logits(const Model& model, const PassRequest& request, const CancelToken& cancel);

struct PassTiming {
  int64_t nodes = 1;   // in a chain
  int64_t prefix = 0;  // cached positions
  int64_t repeats = 1;
  bool with_logits = true;
};

// Milliseconds of each of `repeats` equal passes, without warm-up; replays of one where the backend replays.
std::vector<double> time_passes(const Model& model, const PassTiming& timing, const CancelToken& cancel);

}  // namespace msn
