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

int64_t length_at_end(const GenerationRequest& request, const ModelShape& shape) {
  return std::min(static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens, shape.context_length);
}

}  // namespace

DecodingSession::DecodingSession(const Model& engine, const GenerationRequest& text, int64_t longest_pass)
    : model(engine),
      request(text),
      tree(text.decoding.paths, text.decoding.depth, text.decoding.width),
      last_length(length_at_end(text, engine.shape())),
      transformer(engine, std::max<int64_t>(tree.nodes(), longest_pass), tree.nodes()),
      cache(engine.backend(), engine.shape()) {}

void DecodingSession::restart(GenerationRequest text) {
  request = std::move(text);
  last_length = length_at_end(request, model.shape());
  cache.set_length(0);
}

StepShape::StepShape(const GenerationRequest& request)
    : decoding(request.decoding),
      samples(!is_plain_argmax(request.sampling)),
      end_tokens(request.end_of_sequence.size()) {
  decoding.noise_seed = 0;
}

struct Decoder::State final : IdleObject {
  State(const Model& model, const GenerationRequest& request, bool device_leads);
  // What another decoder has left; null where that does not fit, which is freed.
  static std::unique_ptr<State> left_behind(const Model& model, const GenerationRequest& request);
  bool fits(const GenerationRequest& request) const;

  const bool led_by_device;
  const StepShape shape;
  bool sound = true;  // no part of the work has failed, nor been left half done
  DecodingSession session;
  std::unique_ptr<DecodingSteps> steps;
};

// Led by the device it may last, and takes prompts of any length.
Decoder::State::State(const Model& model, const GenerationRequest& request, bool device_leads)
    : led_by_device(device_leads),
      shape(request),
      session(model, request,
              device_leads ? model.backend().traits().prefill_chunk
                           : prefill_chunk(model.backend(), request.prompt.size())),
      steps(device_leads ? device_steps(session) : host_steps(session)) {}

std::unique_ptr<Decoder::State> Decoder::State::left_behind(const Model& model,
                                                            const GenerationRequest& request) {
  std::unique_ptr<IdleObject> idle = model.idle().take();
  if (!idle || !static_cast<State&>(*idle).fits(request)) return nullptr;
  auto state = std::unique_ptr<State>(static_cast<State*>(idle.release()));
  state->session.restart(request);
  return state;
}

// A cache that is much larger than the text needs does not fit: it takes memory, and its capacity is what the
// attention's grids are sized by.
bool Decoder::State::fits(const GenerationRequest& request) const {
  constexpr int64_t kModestRows = 1024;
  const int64_t length = length_at_end(request, session.model.shape());
  return shape == StepShape(request) && session.cache.capacity() <= std::max(kModestRows, 4 * length);
}

Decoder::Decoder(const Model& model, GenerationRequest request, StepLead lead) {
  const GenerationRequest text = checked(std::move(request), model.shape());
  const bool device_leads =
      lead == StepLead::kOfBackend ? model.backend().traits().replays : lead == StepLead::kDevice;
  if (device_leads) state_ = State::left_behind(model, text);
  if (!state_) state_ = std::make_unique<State>(model, text, device_leads);
  state_->steps->begin();
}

// What is under way must not outlive the memory that it uses, nor reach into the next text.
Decoder::~Decoder() {
  const Model& model = state_->session.model;
  try {
    model.backend().synchronize();
    if (state_->led_by_device && state_->sound) model.idle().put(std::move(state_));
  } catch (const Error&) {
    // A device that is lost has nothing under way.
  }
}

void Decoder::prefill(const CancelToken& cancel) {
  state_->sound = false;
  DecodingSession& session = state_->session;
  const std::span<const int32_t> prompt(session.request.prompt);
  msn::prefill(session.transformer, session.cache, prompt.first(prompt.size() - 1),
               prefill_chunk(session.model.backend(), prompt.size()), cancel);
  state_->sound = true;
}

DecodingStep Decoder::step() {
  state_->sound = false;
  DecodingStep step = state_->steps->step();
  state_->sound = true;
  return step;
}

}  // namespace msn
