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
  // With `recompute` the layers keep their inputs alone and are computed again in the backward pass: a third
  // more work for the memory of one layer. The same bits either way.
  TrainingPass(Backend& backend, const ModelShape& shape, bool recompute);

  // Moves the documents to the device; the inputs are their tokens.
  void load(const TrainingDocuments& documents);
  // Replaces the inputs by the noised tokens; noise.tokens and its other tensors are filled in here.
  void add_noise(NoiseTokens noise);
  // Up to the final norm. Throws ERR_ABORTED between layers.
  void forward(const ParameterViews& weights, const CancelToken& cancel);
  // Losses; with `gradients`, also the head's gradient and the final hidden states', each loss weighing
  // gradient_scale; with `predict`, also the argmax of each position with a target.
  void loss(const ParameterViews& weights, const ParameterViews* gradients, float gradient_scale,
            bool predict);
  // The rest of the gradients, after loss(). Adds to them. Throws ERR_ABORTED between layers.
  void backward(const ParameterViews& weights, const ParameterViews& gradients, const CancelToken& cancel);

  // Of the last micro-batch, on the host; waits for the device.
  double loss_sum() const;
  std::vector<int32_t> predictions() const;      // [tokens]
  std::vector<int32_t> segment_offsets() const;  // [tokens]
  const std::vector<int32_t>& targets() const { return targets_; }
  // Of the activations of the largest micro-batch so far.
  int64_t workspace_bytes() const { return workspace_.bytes(); }

 private:
  // What a layer computes from normed, the norm of its input, up to inner, the input of its last product.
  void compute_layer(const LayerParameters& weights, const LayerActivations& layer);
  // output = norm of the stream.
  void normalize(const Tensor& stream, const Tensor& weight, const Tensor& output, const Tensor& inverse_rms);
  // sum = stream + branch, output = norm of the sum.
  void add_branch(const Tensor& stream, const Tensor& sum, const Tensor& weight, const Tensor& output,
                  const Tensor& inverse_rms);
  void backward_layer(const LayerParameters& weights, const LayerParameters& gradients,
                      const LayerActivations& layer);
  void feed_forward_backward(const LayerParameters& weights, const LayerParameters& gradients,
                             const LayerActivations& layer);
  void attention_backward(const LayerParameters& weights, const LayerParameters& gradients,
                          const LayerActivations& layer);
  void normalize_backward(const Tensor& stream, const Tensor& weight, const Tensor& inverse_rms,
                          const Tensor& weight_gradient);

  Backend& backend_;
  const ModelShape shape_;
  const bool recompute_;
  TrainingWorkspace workspace_;
  const TrainingActivations* at_ = nullptr;
  Tensor inputs_;  // ids or noised
  Buffer inverse_frequencies_storage_;
  Tensor inverse_frequencies_;  // f64 [head_dim / 2]
  std::vector<int32_t> targets_;
};

}  // namespace msn
