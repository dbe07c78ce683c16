// The two ways to take a decode step (docs/method.md), and what they share.
#pragma once
#include <memory>

#include "model/kv_cache.h"
#include "model/transformer.h"
#include "runtime/decoding.h"
#include "runtime/draft_tree.h"

namespace msn {

struct DecodingSession {
  // Checks the request, as Decoder does.
  DecodingSession(const Model& model, GenerationRequest request);

  const Model& model;
  const GenerationRequest request;
  const DraftTree tree;
  const int64_t last_length;  // known tokens at which the text ends
  Transformer transformer;    // for the tree and the prefill, with logits for the tree
  KvCache cache;  // always one row less than known tokens: the last one is the root of the next tree

  // The deepest node of a tree has position known - 1 + height, and positions end at the context length.
  int64_t room_for_height(int64_t known) const { return model.shape().context_length - known; }
};

class DecodingSteps {
 public:
  virtual ~DecodingSteps() = default;
  // The cache must hold the prompt less its last token before the first step.
  virtual DecodingStep step() = 0;
};

// `session` must outlive the result.
std::unique_ptr<DecodingSteps> host_steps(DecodingSession& session);
std::unique_ptr<DecodingSteps> device_steps(DecodingSession& session);

}  // namespace msn
