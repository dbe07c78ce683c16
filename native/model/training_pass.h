// One micro-batch through the model and back: forward with kept activations, loss, backward into a gradient
// set.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "model/training_activations.h"
#include "model/training_parameters.h"
#include "ops/noise.h"

namespace msn {

// Documents one behind another, checked by the caller.
struct TrainingDocuments {
  std::span<const int32_t> tokens;            // [tokens]
  std::span<const int32_t> labels;            // [tokens]: -100 where there is no loss
  std::span<const int32_t> document_offsets;  // [documents + 1]
  std::span<const int32_t> samples;           // [documents]
};

// What each position predicts, [tokens]: the next label of its document, -1: nothing.
std::vector<int32_t> next_token_targets(std::span<const int32_t> labels,
                                        std::span<const int32_t> document_offsets);

class TrainingPass {
 public:
  TrainingPass(Backend& backend, const ModelShape& shape);

  // Moves the documents to the device; the inputs are their tokens.
  void load(const TrainingDocuments& documents);
  // Replaces the inputs by the noised tokens; noise.tokens and its other tensors are filled in here.
  void add_noise(NoiseTokens noise);
  // Up to the final norm. Throws ERR_ABORTED between layers.
  void forward(const ParameterSet& weights, const CancelToken& cancel);
  // Sum of the losses; with `gradients`, also the head's gradient and the final hidden states', each loss
  // weighing gradient_scale; with `predict`, also the argmax of each position with a target.
  double loss(const ParameterSet& weights, ParameterSet* gradients, float gradient_scale, bool predict);
  // The rest of the gradients, after loss(). Adds to them. Throws ERR_ABORTED between layers.
  void backward(const ParameterSet& weights, ParameterSet& gradients, const CancelToken& cancel);

  // Of the last micro-batch, on the host: [tokens].
  std::vector<int32_t> predictions() const;
  std::vector<int32_t> segment_offsets() const;
  const std::vector<int32_t>& targets() const { return targets_; }

 private:
  void forward_layer(const LayerParameters& weights, const LayerActivations& layer, const Tensor& output);
  void backward_layer(const LayerParameters& weights, const LayerParameters& gradients,
                      const LayerActivations& layer);
  void feed_forward_backward(const LayerParameters& weights, const LayerParameters& gradients,
                             const LayerActivations& layer);
  void attention_backward(const LayerParameters& weights, const LayerParameters& gradients,
                          const LayerActivations& layer);

  Backend& backend_;
  const ModelShape shape_;
  TrainingWorkspace workspace_;
  const TrainingActivations* at_ = nullptr;
  Tensor inputs_;  // ids or noised
  Buffer inverse_frequencies_storage_;
  Tensor inverse_frequencies_;  // f64 [head_dim / 2]
  std::vector<int32_t> targets_;
  std::vector<float> losses_;
};

}  // namespace msn
