// Decoding of one prompt: autoregressive, Jacobi or TR-Jacobi, one forward pass a step (docs/method.md).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/decode_step.h"
#include "base/sampling_options.h"
#include "model/model.h"

namespace msn {

struct DecodingOptions {
  // Draft paths below the root in tree order, each a list of table columns; `width` is the retrieved column.
  // Empty: the root alone (autoregressive).
  std::vector<std::vector<int32_t>> paths;
  int32_t depth = 5;   // D: rows of the draft table
  int32_t width = 10;  // K: columns of the draft table
  bool retrieval = true;
  int32_t min_match = 2;
  uint64_t noise_seed = 0;
  bool operator==(const DecodingOptions&) const = default;
};

struct GenerationRequest {
  std::vector<int32_t> prompt;  // at least one token, below context_length
  int64_t max_new_tokens = 256;
  std::vector<int32_t> end_of_sequence;  // ids that end the text; may be empty
  SamplingOptions sampling;
  DecodingOptions decoding;
};

// What one step did. The lists after `finish` explain it, for statistics, reports and tests.
struct DecodingStep {
  std::vector<int32_t> tokens;  // emitted, cut at the end of sequence and at max_new_tokens
  int32_t accepted_length = 0;  // depth(e) + 1, before any cut
  FinishReason finish = FinishReason::kNone;
  std::vector<DraftSource> accepted_sources;  // of the accepted drafts, in order
  std::vector<int32_t> accepted_path;         // columns of the path to e
  int32_t match_length = 0;                   // 0: nothing retrieved
  int32_t match_end = 0;                      // index of the first token of the continuation
  int32_t known_rows = 0;                     // rows of the next draft table that are known
  std::vector<int32_t> drafted;               // token of every node below the root, in tree order
};

// Who leads through a step: the host, which calls one operation after another and computes logits only where
// it looks, or the device, which replays a recorded step and leaves a record.
enum class StepLead { kOfBackend, kHost, kDevice };  // kOfBackend: the device where the backend replays

// What device-led steps name, recordings and memory, is kept with the model when a decoder goes, and taken up
// by the next one for a text of the same shape.
class Decoder {
 public:
  // Checks the request against the model: ERR_INVALID_ARGUMENT for token ids outside the vocabulary, an
  // empty prompt, a prompt that leaves no room in the context, a tree with holes, options out of range.
  Decoder(const Model& model, GenerationRequest request, StepLead lead = StepLead::kOfBackend);
  ~Decoder();
  // Runs the prompt less its last token through the model; to be called once, before the first step.
  void prefill(const CancelToken& cancel);
  DecodingStep step();  // must not be called again after finish != kNone
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace msn
