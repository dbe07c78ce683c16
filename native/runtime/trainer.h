// Training on one device, one optimizer step at a time: master weights and gradients in f32, products in the
// device's activation dtype, AdamW moments in f32 or 8 bits.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/cancel.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"
#include "model/training_moments.h"
#include "ops/noise.h"

namespace msn {

// The label of a token that does not count in the loss.
constexpr int32_t kNoLoss = -100;

// Documents packed one behind another; no attention across their borders.
struct MicroBatch {
  std::vector<int32_t> tokens;            // [tokens]
  std::vector<int32_t> labels;            // [tokens]: the token itself where it counts in the loss, else
                                          // kNoLoss; labels[t] is the target of position t - 1 of the same
                                          // document, so that the first label of a document never counts
  std::vector<int32_t> document_offsets;  // [documents + 1]
  std::vector<int32_t> samples;           // [documents]: row number in the data set
};

struct NoiseOptions {
  bool enabled = false;  // false: plain fine-tuning
  NoiseKind kind = NoiseKind::kAhead;
  int32_t length = 5;
  int32_t segments = 1;
  uint64_t seed = 0;
};

struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // matrices only
  double clip_norm = 1;     // 0: no clipping
  MomentFormat moments = MomentFormat::kF32;
};

struct TrainerOptions {
  OptimizerOptions optimizer;
  NoiseOptions noise;
  bool gradient_checkpointing = false;  // keeps the layers' inputs alone; less memory, the same bits
  std::optional<Dtype> dtype = {};      // what has to be computed in; none: what the backend trains in
};

struct TrainingStep {
  double loss = 0;           // mean over the loss tokens of the whole step
  double gradient_norm = 0;  // before clipping
  int64_t loss_tokens = 0;
  int64_t input_tokens = 0;
};

struct EvaluationSums {
  double loss = 0;  // summed over loss tokens
  int64_t loss_tokens = 0;
  std::vector<int64_t> correct;  // [length]: noise offset 1 .. L: the model's next token is the label
  std::vector<int64_t> counted;  // [length]
};

enum class TrainingTensors { kWeights, kFirstMoments, kSecondMoments };

class Trainer {
 public:
  Trainer(std::shared_ptr<Backend> backend, const ModelShape& shape, TensorSource& weights,
          const TrainerOptions& options);
  ~Trainer();

  // One optimizer step over all micro-batches; the loss and the gradient are normalised by the loss tokens of
  // all of them. Aborting (checked between layers) leaves weights and moments as they were.
  // A loss or norm that is not finite throws ERR_INTERNAL and leaves the weights as they were. Throws
  // ERR_INVALID_ARGUMENT for token ids out of range, offsets that make no sense, and batches without a loss
  // token.
  TrainingStep step(std::span<const MicroBatch> batches, uint32_t epoch, double learning_rate,
                    const CancelToken& cancel);
  // Forward only, no noise in the inputs: the loss. With noise.enabled a second pass on noised inputs (epoch
  // 0) counts the denoising accuracy; else `correct` and `counted` are empty.
  EvaluationSums evaluate(const MicroBatch& batch, const NoiseOptions& noise, const CancelToken& cancel);

  const ModelShape& shape() const;
  Backend& backend() const;
  const std::shared_ptr<Backend>& shared_backend() const;
  int64_t steps_done() const;  // AdamW's step count
  // Of weights, gradients and moments.
  int64_t state_bytes() const;
  // Of the activations of the largest micro-batch so far.
  int64_t workspace_bytes() const;
  // The state, tensor by tensor, in f32, under Hugging Face names; source(kWeights) also feeds Model for
  // evaluation. What one trainer's sources give restores another's state, whatever its device, bit for bit.
  // A source must not outlive the trainer.
  std::unique_ptr<TensorSource> source(TrainingTensors which) const;
  void restore(TrainingTensors which, TensorSource& source);
  void set_steps_done(int64_t steps);
  // The gradient of the last step's loss (unclipped), for tests.
  std::unique_ptr<TensorSource> gradients() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace msn
