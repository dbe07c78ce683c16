// The way forward: documents to the device, noise, layers, loss. The formulas are those of docs/method.md.
#include "model/training_pass.h"

#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/matrix_product.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"

namespace msn {
namespace {

template <class T>
void copy_to_device(Backend& backend, const Tensor& tensor, std::span<const T> values) {
  backend.copy_from_host(tensor.data, values.data(), static_cast<int64_t>(values.size_bytes()));
}

template <class T>
std::vector<T> copy_to_host(Backend& backend, const Tensor& tensor) {
  std::vector<T> values(static_cast<size_t>(tensor.elements()));
  backend.copy_to_host(values.data(), tensor.data, tensor.bytes());
  return values;
}

}  // namespace

std::vector<int32_t> next_token_targets(std::span<const int32_t> labels,
                                        std::span<const int32_t> document_offsets) {
  std::vector<int32_t> targets(labels.size(), -1);
  for (size_t document = 0; document + 1 < document_offsets.size(); ++document)
    for (int32_t i = document_offsets[document]; i + 1 < document_offsets[document + 1]; ++i)
      if (labels[i + 1] >= 0) targets[i] = labels[i + 1];
  return targets;
}

TrainingPass::TrainingPass(Backend& backend, const ModelShape& shape, bool recompute)
    : backend_(backend), shape_(shape), recompute_(recompute), workspace_(backend, shape, recompute) {
  const std::vector<double> frequencies = inverse_frequencies(shape);
  const int64_t bytes = static_cast<int64_t>(frequencies.size() * sizeof(double));
  inverse_frequencies_storage_ = backend.allocate(bytes);
  backend.copy_from_host(inverse_frequencies_storage_.data(), frequencies.data(), bytes);
  inverse_frequencies_ = {inverse_frequencies_storage_.data(), Dtype::kF64, {shape.head_dim / 2}};
}

void TrainingPass::load(const TrainingDocuments& documents) {
  const int64_t tokens = static_cast<int64_t>(documents.tokens.size());
  at_ = &workspace_.arrange(tokens, static_cast<int64_t>(documents.samples.size()));
  targets_ = next_token_targets(documents.labels, documents.document_offsets);
  std::vector<uint8_t> loss_mask(documents.labels.size());
  for (size_t i = 0; i < loss_mask.size(); ++i) loss_mask[i] = documents.labels[i] >= 0;
  std::vector<int32_t> positions(documents.tokens.size());
  for (size_t document = 0; document < documents.samples.size(); ++document)
    for (int32_t i = documents.document_offsets[document]; i < documents.document_offsets[document + 1]; ++i)
      positions[i] = i - documents.document_offsets[document];

  copy_to_device(backend_, at_->ids, documents.tokens);
  copy_to_device<uint8_t>(backend_, at_->loss_mask, loss_mask);
  copy_to_device<int32_t>(backend_, at_->targets, targets_);
  copy_to_device<int32_t>(backend_, at_->positions, positions);
  copy_to_device(backend_, at_->document_offsets, documents.document_offsets);
  copy_to_device(backend_, at_->samples, documents.samples);
  backend_.fill_zero(at_->first_row.data, at_->first_row.bytes());
  backend_.run(RotaryTable{at_->positions, inverse_frequencies_, at_->rotary});
  inputs_ = at_->ids;
}

void TrainingPass::add_noise(NoiseTokens noise) {
  noise.tokens = at_->ids;
  noise.loss_mask = at_->loss_mask;
  noise.document_offsets = at_->document_offsets;
  noise.samples = at_->samples;
  noise.vocabulary = static_cast<int32_t>(shape_.vocabulary_size);
  noise.noised = at_->noised;
  noise.segment_offset = at_->segment_offset;
  backend_.run(noise);
  inputs_ = at_->noised;
}

void TrainingPass::forward(const ParameterViews& weights, const CancelToken& cancel) {
  EmbeddingForward embedding;
  embedding.tokens = inputs_;
  embedding.table = weights.embedding;
  embedding.output = at_->layers.front().input;
  backend_.run(embedding);
  for (int64_t index = 0; index < shape_.layers; ++index) {
    cancel.throw_if_cancelled();
    const LayerParameters& parameters = weights.layers[index];
    const LayerActivations& layer = at_->layers[index];
    if (index == 0)
      normalize(layer.input, parameters.input_norm, at_->normed, layer.input_inverse_rms);
    else
      add_branch(at_->layers[index - 1].middle, layer.input, parameters.input_norm, at_->normed,
                 layer.input_inverse_rms);
    compute_layer(parameters, layer);
    backend_.run(MatrixProduct{at_->inner, false, parameters.down, true, {}, at_->branch});
  }
  add_branch(at_->layers.back().middle, at_->final_input, weights.final_norm, at_->hidden,
             at_->final_inverse_rms);
}

void TrainingPass::compute_layer(const LayerParameters& weights, const LayerActivations& layer) {
  backend_.run(MatrixProduct{at_->normed, false, weights.qkv, true, weights.qkv_bias, layer.qkv});
  SplitHeadsForward split;
  split.qkv = layer.qkv;
  split.query_norm = weights.query_norm;
  split.key_norm = weights.key_norm;
  split.epsilon = shape_.norm_epsilon;
  split.rotary = at_->rotary;
  split.first_row = at_->first_row;
  split.query = layer.query;
  split.keys = layer.keys;
  split.values = layer.values;
  backend_.run(split);
  backend_.run(PackedAttentionForward{layer.query, layer.keys, layer.values, at_->document_offsets,
                                      shape_.window, layer.attention, layer.log_sum_exp});
  backend_.run(MatrixProduct{layer.attention, false, weights.output, true, {}, at_->branch});

  add_branch(layer.input, layer.middle, weights.attention_norm, at_->normed, layer.middle_inverse_rms);
  backend_.run(MatrixProduct{at_->normed, false, weights.gate_up, true, {}, layer.gate_up});
  backend_.run(SwiGluForward{layer.gate_up, at_->inner});
}

void TrainingPass::normalize(const Tensor& stream, const Tensor& weight, const Tensor& output,
                             const Tensor& inverse_rms) {
  backend_.run(RmsNormForward{.input = stream,
                              .weight = weight,
                              .epsilon = shape_.norm_epsilon,
                              .output = output,
                              .inverse_rms = inverse_rms});
}

void TrainingPass::add_branch(const Tensor& stream, const Tensor& sum, const Tensor& weight,
                              const Tensor& output, const Tensor& inverse_rms) {
  backend_.run(RmsNormForward{.input = stream,
                              .addend = at_->branch,
                              .sum = sum,
                              .weight = weight,
                              .epsilon = shape_.norm_epsilon,
                              .output = output,
                              .inverse_rms = inverse_rms});
}

void TrainingPass::loss(const ParameterViews& weights, const ParameterViews* gradients, float gradient_scale,
                        bool predict) {
  LinearCrossEntropy head;
  head.hidden = at_->hidden;
  head.head = weights.head;
  head.targets = at_->targets;
  head.gradient_scale = gradient_scale;
  head.losses = at_->losses;
  if (predict) head.predictions = at_->predictions;
  if (gradients != nullptr) {
    head.hidden_gradient = at_->normed_gradient;
    head.head_gradient = gradients->head;
  }
  backend_.run(head);
}

double TrainingPass::loss_sum() const {
  double sum = 0;
  for (const float loss : copy_to_host<float>(backend_, at_->losses)) sum += loss;
  return sum;
}

std::vector<int32_t> TrainingPass::predictions() const {
  return copy_to_host<int32_t>(backend_, at_->predictions);
}

std::vector<int32_t> TrainingPass::segment_offsets() const {
  return copy_to_host<int32_t>(backend_, at_->segment_offset);
}

}  // namespace msn
