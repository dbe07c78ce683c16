// The way back: gradients of the layers in falling order. One tensor, `gradient`, follows the residual stream
// down, and products read its rounded copy.
#include "model/training_pass.h"
#include "ops/embedding.h"
#include "ops/matrix_product.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"

namespace msn {

void TrainingPass::backward(const ParameterViews& weights, const ParameterViews& gradients,
                            const CancelToken& cancel) {
  backend_.fill_zero(at_->gradient.data, at_->gradient.bytes());
  normalize_backward(at_->final_input, weights.final_norm, at_->final_inverse_rms, gradients.final_norm);
  for (int64_t index = shape_.layers; index-- > 0;) {
    cancel.throw_if_cancelled();
    backward_layer(weights.layers[index], gradients.layers[index], at_->layers[index]);
  }
  backend_.run(EmbeddingBackward{inputs_, at_->gradient, gradients.embedding});
}

void TrainingPass::backward_layer(const LayerParameters& weights, const LayerParameters& gradients,
                                  const LayerActivations& layer) {
  // What the last layer has left in the shared memory is still there.
  const bool kept = !recompute_ || &layer == &at_->layers.back();
  if (kept) {
    normalize(layer.middle, weights.attention_norm, at_->normed, layer.middle_inverse_rms);
    backend_.run(SwiGluForward{layer.gate_up, at_->inner});
  } else {
    normalize(layer.input, weights.input_norm, at_->normed, layer.input_inverse_rms);
    compute_layer(weights, layer);
  }
  feed_forward_backward(weights, gradients, layer);
  attention_backward(weights, gradients, layer);
}

// Finds the block's normed input and inner activations in the scratch.
void TrainingPass::feed_forward_backward(const LayerParameters& weights, const LayerParameters& gradients,
                                         const LayerActivations& layer) {
  const Tensor& gradient = at_->rounded_gradient;
  backend_.run(MatrixProduct{gradient, false, weights.down, false, {}, at_->inner_gradient});
  backend_.run(MatrixProduct{gradient, true, at_->inner, false, {}, gradients.down, true});
  const Tensor& gate_up_gradient = layer.gate_up;
  backend_.run(SwiGluBackward{layer.gate_up, at_->inner_gradient, gate_up_gradient});
  backend_.run(MatrixProduct{gate_up_gradient, false, weights.gate_up, false, {}, at_->normed_gradient});
  backend_.run(MatrixProduct{gate_up_gradient, true, at_->normed, false, {}, gradients.gate_up, true});
  normalize_backward(layer.middle, weights.attention_norm, layer.middle_inverse_rms,
                     gradients.attention_norm);
}

void TrainingPass::attention_backward(const LayerParameters& weights, const LayerParameters& gradients,
                                      const LayerActivations& layer) {
  const Tensor& gradient = at_->rounded_gradient;
  backend_.run(MatrixProduct{gradient, false, weights.output, false, {}, at_->attention_gradient});
  backend_.run(MatrixProduct{gradient, true, layer.attention, false, {}, gradients.output, true});

  PackedAttentionBackward attention;
  attention.query = layer.query;
  attention.keys = layer.keys;
  attention.values = layer.values;
  attention.document_offsets = at_->document_offsets;
  attention.window = shape_.window;
  attention.output = layer.attention;
  attention.log_sum_exp = layer.log_sum_exp;
  attention.output_gradient = at_->attention_gradient;
  attention.query_gradient = at_->query_gradient;
  attention.keys_gradient = at_->keys_gradient;
  attention.values_gradient = at_->values_gradient;
  backend_.run(attention);

  SplitHeadsBackward split;
  split.qkv = layer.qkv;
  split.query_norm = weights.query_norm;
  split.key_norm = weights.key_norm;
  split.epsilon = shape_.norm_epsilon;
  split.rotary = at_->rotary;
  split.query_gradient = at_->query_gradient;
  split.keys_gradient = at_->keys_gradient;
  split.values_gradient = at_->values_gradient;
  split.qkv_gradient = at_->qkv_gradient;
  split.query_norm_gradient = gradients.query_norm;
  split.key_norm_gradient = gradients.key_norm;
  backend_.run(split);

  normalize(layer.input, weights.input_norm, at_->normed, layer.input_inverse_rms);
  backend_.run(MatrixProduct{at_->qkv_gradient, true, at_->normed, false, {}, gradients.qkv, true});
  if (gradients.qkv_bias) backend_.run(ColumnSum{at_->qkv_gradient, gradients.qkv_bias});
  backend_.run(MatrixProduct{at_->qkv_gradient, false, weights.qkv, false, {}, at_->normed_gradient});
  normalize_backward(layer.input, weights.input_norm, layer.input_inverse_rms, gradients.input_norm);
}

// Adds to the stream's gradient what comes through the norm.
void TrainingPass::normalize_backward(const Tensor& stream, const Tensor& weight, const Tensor& inverse_rms,
                                      const Tensor& weight_gradient) {
  backend_.run(RmsNormBackward{.input = stream,
                               .weight = weight,
                               .inverse_rms = inverse_rms,
                               .output_gradient = at_->normed_gradient,
                               .input_gradient = at_->gradient,
                               .rounded = at_->rounded_gradient,
                               .weight_gradient = weight_gradient});
}

}  // namespace msn
