// The two ways to take a decode step (docs/method.md), and what they share.
#pragma once
#include <memory>

#include "model/kv_cache.h"
#include "model/transformer.h"
#include "runtime/decoding.h"
#include "runtime/draft_tree.h"

namespace msn {

struct DecodingSession {
  // The request has been checked, but for its tree. `longest_pass`: tokens of the prefill in one pass.
  DecodingSession(const Model& model, const GenerationRequest& request, int64_t longest_pass);
  // Another text with the same tree, behind an empty cache.
  void restart(GenerationRequest request);

  const Model& model;
  GenerationRequest request;
  const DraftTree tree;
  int64_t last_length;      // known tokens at which the text ends
  Transformer transformer;  // for the tree and the prefill, with logits for the tree
  KvCache cache;  // always one row less than known tokens: the last one is the root of the next tree

  // The deepest node of a tree has position known - 1 + height, and positions end at the context length.
  int64_t room_for_height(int64_t known) const { return model.shape().context_length - known; }
};

class DecodingSteps {
 public:
  virtual ~DecodingSteps() = default;
  // Before the first step of every text, when the session has its request. Host-led steps take one text,
  // device-led ones any number of the same StepShape.
  virtual void begin() = 0;
  // The cache must hold the prompt less its last token before the first step.
  virtual DecodingStep step() = 0;
};

// What a recorded step has as constants; all else that a text brings lies in device memory.
struct StepShape {
  explicit StepShape(const GenerationRequest& request);
  bool operator==(const StepShape&) const = default;

  DecodingOptions decoding;  // without its seed
  bool samples;              // else it takes the highest logit
  size_t end_tokens;
};

// `session` must outlive the result.
std::unique_ptr<DecodingSteps> host_steps(DecodingSession& session);
std::unique_ptr<DecodingSteps> device_steps(DecodingSession& session);

}  // namespace msn
