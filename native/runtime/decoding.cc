// A request checked, its prompt in the cache, and the steps behind it.
#include "runtime/decoding.h"

#include <algorithm>
#include <limits>

#include "runtime/decoding_steps.h"
#include "runtime/prefill.h"
#include "runtime/request_checks.h"
#include "runtime/sampler.h"

namespace msn {
namespace {

GenerationRequest checked(GenerationRequest request, const ModelShape& shape) {
  check_token_count("prompt", request.prompt, shape.context_length - 1,
                    "one less than the context length " + std::to_string(shape.context_length));
  check_token_ids("prompt", request.prompt, shape);
  check_token_ids("eosTokens", request.end_of_sequence, shape);
  check_integer("maxNewTokens", request.max_new_tokens, 1, std::numeric_limits<int32_t>::max());
  check_integer("decoding.retrieval.minMatch", request.decoding.min_match, 1, kLongestMatch);
  check_sampling(request.sampling);
  return request;
}

}  // namespace

DecodingSession::DecodingSession(const Model& engine, GenerationRequest wanted)
    : model(engine),
      request(checked(std::move(wanted), engine.shape())),
      tree(request.decoding.paths, request.decoding.depth, request.decoding.width),
      last_length(std::min(static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens,
                           engine.shape().context_length)),
      transformer(engine,
                  std::max<int64_t>(tree.nodes(), prefill_chunk(engine.backend(), request.prompt.size())),
                  tree.nodes()),
      cache(engine.backend(), engine.shape()) {}

struct Decoder::State {
  State(const Model& model, GenerationRequest request, StepLead lead)
      : session(model, std::move(request)),
        steps(leads(model, lead) ? device_steps(session) : host_steps(session)) {}

  static bool leads(const Model& model, StepLead lead) {
    return lead == StepLead::kOfBackend ? model.backend().traits().replays : lead == StepLead::kDevice;
  }

  DecodingSession session;
  std::unique_ptr<DecodingSteps> steps;
};

Decoder::Decoder(const Model& model, GenerationRequest request, StepLead lead)
    : state_(std::make_unique<State>(model, std::move(request), lead)) {}

Decoder::~Decoder() = default;

void Decoder::prefill(const CancelToken& cancel) {
  DecodingSession& session = state_->session;
  const std::span<const int32_t> prompt(session.request.prompt);
  msn::prefill(session.transformer, session.cache, prompt.first(prompt.size() - 1),
               prefill_chunk(session.model.backend(), prompt.size()), cancel);
}

DecodingStep Decoder::step() { return state_->steps->step(); }

}  // namespace msn
