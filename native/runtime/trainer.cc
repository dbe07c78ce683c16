// The optimizer step: forward and backward over the micro-batches, clipping, AdamW; and evaluation.
#include "runtime/trainer.h"

#include <algorithm>
#include <cmath>

#include "model/training_parameters.h"
#include "model/training_pass.h"
#include "ops/adamw.h"
#include "ops/gradient_norm.h"
#include "runtime/training_batch.h"

namespace msn {
namespace {

TrainingDocuments documents_of(const MicroBatch& batch) {
  return {batch.tokens, batch.labels, batch.document_offsets, batch.samples};
}

NoiseTokens noise_of(const NoiseOptions& options, uint32_t epoch) {
  NoiseTokens noise;
  noise.seed = options.seed;
  noise.epoch = epoch;
  noise.kind = options.kind;
  noise.length = options.length;
  noise.segments = options.segments;
  return noise;
}

// What is computed in is the engine's own.
void check_dtype(const Backend& backend, Dtype wanted) {
  const Dtype own = backend.traits().activations;
  if (wanted != own)
    throw Error(ErrorCode::kUnsupported,
                "device '" + backend.info().kind + "' trains in " + dtype_name(own) + ", not in " +
                    dtype_name(wanted) + "; use dtype 'auto', or another device",
                "dtype");
}

// Weights and gradients in f32, weights once more where products take another dtype, two moments.
std::string memory_advice(const Backend& backend, MomentFormat moments) {
  const bool coded = moments == MomentFormat::k8Bit, rounded = backend.traits().activations != Dtype::kF32;
  const int bytes = 4 + 4 + (rounded ? 2 : 0) + (coded ? 1 + 1 : 4 + 4);
  return "The state of a training run takes about " + std::to_string(bytes) + " bytes for each weight" +
         (coded ? "" : "; optimizer.moments: '8bit' takes 6 less");
}

}  // namespace

struct Trainer::State {
  State(std::shared_ptr<Backend> shared, const ModelShape& shape, const TrainerOptions& options)
      : backend(std::move(shared)),
        layout(std::make_shared<ParameterLayout>(shape)),
        optimizer(options.optimizer),
        noise(options.noise),
        weights(*backend, layout),
        gradients(*backend, layout),
        first_moments(*backend, layout, MomentKind::kFirst, optimizer.moments),
        second_moments(*backend, layout, MomentKind::kSecond, optimizer.moments),
        pass(*backend, shape, options.gradient_checkpointing),
        squared_norm(backend->allocate(sizeof(double))) {}

  // Gradients and summed loss of one micro-batch, each loss weighing `scale`.
  double accumulate(const MicroBatch& batch, uint32_t epoch, double scale, const CancelToken& cancel) {
    pass.load(documents_of(batch));
    if (noise.enabled) pass.add_noise(noise_of(noise, epoch));
    const ParameterViews& computing = weights.for_products();
    pass.forward(computing, cancel);
    pass.loss(computing, &gradients.views(), static_cast<float>(scale), false);
    pass.backward(computing, gradients.views(), cancel);
    return pass.loss_sum();
  }

  std::unique_ptr<TensorSource> source(const auto& set) const {
    return std::make_unique<ParameterSource>(
        *layout, [&set](const TensorSpec& spec, float* values) { set.write_to_host(spec, values); });
  }

  double gradient_norm() {
    const Tensor result(squared_norm.data(), Dtype::kF64, {1});
    backend->run(SquaredNorm{gradients.all(), result});
    double sum;
    backend->copy_to_host(&sum, result.data, sizeof sum);
    return std::sqrt(sum);
  }

  void check_finite(double value, const char* what) const {
    if (std::isfinite(value)) return;
    throw Error(
        ErrorCode::kInternal,
        std::string("the ") + what + " is not finite (" + std::to_string(value) +
            "); the weights are as they were before this step. Lower the learning rate or clipNorm, or "
            "resume from an earlier checkpoint",
        "training step " + std::to_string(steps + 1));
  }

  void update(double learning_rate, double gradient_scale) {
    ++steps;
    AdamW adamw;
    adamw.learning_rate = learning_rate;
    adamw.beta1 = optimizer.beta1;
    adamw.beta2 = optimizer.beta2;
    adamw.epsilon = optimizer.epsilon;
    adamw.gradient_scale = gradient_scale;
    adamw.step = steps;
    const auto run = [&](const Tensor& weight, const Tensor& gradient, const Moments& first,
                         const Moments& second) {
      adamw.weight = weight;
      adamw.gradient = gradient;
      adamw.first_moment = first.values;
      adamw.first_scale = first.scales;
      adamw.second_moment = second.values;
      adamw.second_scale = second.scales;
      backend->run(adamw);
    };
    const ParameterSet& master = weights.master();
    adamw.weight_decay = optimizer.weight_decay;
    adamw.rounded = weights.rounded();
    run(master.matrices(), gradients.matrices(), first_moments.matrices(), second_moments.matrices());
    adamw.weight_decay = 0;
    adamw.rounded = {};
    run(master.vectors(), gradients.vectors(), first_moments.vectors(), second_moments.vectors());
  }

  std::shared_ptr<Backend> backend;
  std::shared_ptr<const ParameterLayout> layout;
  OptimizerOptions optimizer;
  NoiseOptions noise;
  TrainedWeights weights;
  ParameterSet gradients;
  MomentSet first_moments, second_moments;
  TrainingPass pass;
  Buffer squared_norm;  // f64 [1]
  int64_t steps = 0;
};

Trainer::Trainer(std::shared_ptr<Backend> backend, const ModelShape& shape, TensorSource& weights,
                 const TrainerOptions& options) {
  check_shape(shape);
  if (options.dtype) check_dtype(*backend, *options.dtype);
  state_ = with_memory_advice(memory_advice(*backend, options.optimizer.moments),
                              [&] { return std::make_unique<State>(std::move(backend), shape, options); });
  state_->weights.read_from(weights);
}

Trainer::~Trainer() = default;

TrainingStep Trainer::step(std::span<const MicroBatch> batches, uint32_t epoch, double learning_rate,
                           const CancelToken& cancel) {
  State& state = *state_;
  TrainingStep result;
  for (const MicroBatch& batch : batches) {
    check_batch(batch, shape());
    result.loss_tokens += count_loss_tokens(batch);
    result.input_tokens += static_cast<int64_t>(batch.tokens.size());
  }
  if (result.loss_tokens == 0)
    throw Error(
        ErrorCode::kInvalidArgument,
        "no token counts in the loss: every label is -100 or belongs to the first token of a document",
        "labels");
  state.gradients.set_zero();
  const double scale = 1 / static_cast<double>(result.loss_tokens);
  for (const MicroBatch& batch : batches) {
    if (count_loss_tokens(batch) == 0) continue;  // its gradient is zero
    result.loss += state.accumulate(batch, epoch, scale, cancel);
    state.check_finite(result.loss, "loss");
  }
  result.loss *= scale;
  result.gradient_norm = state.gradient_norm();
  state.check_finite(result.gradient_norm, "gradient norm");
  cancel.throw_if_cancelled();
  const double clip = state.optimizer.clip_norm;
  state.update(learning_rate, clip > 0 ? std::min(1.0, clip / (result.gradient_norm + 1e-6)) : 1.0);
  state.backend->synchronize();
  return result;
}

EvaluationSums Trainer::evaluate(const MicroBatch& batch, const NoiseOptions& noise,
                                 const CancelToken& cancel) {
  State& state = *state_;
  check_batch(batch, shape());
  EvaluationSums sums;
  sums.loss_tokens = count_loss_tokens(batch);
  state.pass.load(documents_of(batch));
  const ParameterViews& weights = state.weights.for_products();
  state.pass.forward(weights, cancel);
  state.pass.loss(weights, nullptr, 0, false);
  sums.loss = state.pass.loss_sum();
  if (!noise.enabled) return sums;

  sums.correct.assign(static_cast<size_t>(noise.length), 0);
  sums.counted.assign(static_cast<size_t>(noise.length), 0);
  state.pass.add_noise(noise_of(noise, 0));
  state.pass.forward(weights, cancel);
  state.pass.loss(weights, nullptr, 0, true);
  const std::vector<int32_t> predictions = state.pass.predictions(), offsets = state.pass.segment_offsets();
  const std::vector<int32_t>& targets = state.pass.targets();
  for (size_t i = 0; i < targets.size(); ++i) {
    if (offsets[i] == 0 || targets[i] < 0) continue;
    ++sums.counted[offsets[i] - 1];
    sums.correct[offsets[i] - 1] += predictions[i] == targets[i];
  }
  return sums;
}

const ModelShape& Trainer::shape() const { return state_->layout->shape(); }

Backend& Trainer::backend() const { return *state_->backend; }

const std::shared_ptr<Backend>& Trainer::shared_backend() const { return state_->backend; }

int64_t Trainer::steps_done() const { return state_->steps; }

void Trainer::set_steps_done(int64_t steps) { state_->steps = steps; }

int64_t Trainer::state_bytes() const {
  return state_->weights.bytes() + state_->gradients.bytes() + state_->first_moments.bytes() +
         state_->second_moments.bytes();
}

int64_t Trainer::workspace_bytes() const { return state_->pass.workspace_bytes(); }

std::unique_ptr<TensorSource> Trainer::source(TrainingTensors which) const {
  switch (which) {
    case TrainingTensors::kWeights:
      return state_->source(state_->weights.master());
    case TrainingTensors::kFirstMoments:
      return state_->source(state_->first_moments);
    case TrainingTensors::kSecondMoments:
      break;
  }
  return state_->source(state_->second_moments);
}

std::unique_ptr<TensorSource> Trainer::gradients() const { return state_->source(state_->gradients); }

void Trainer::restore(TrainingTensors which, TensorSource& source) {
  switch (which) {
    case TrainingTensors::kWeights:
      return state_->weights.read_from(source);
    case TrainingTensors::kFirstMoments:
      return state_->first_moments.read_from(source);
    case TrainingTensors::kSecondMoments:
      return state_->second_moments.read_from(source);
  }
}

}  // namespace msn
