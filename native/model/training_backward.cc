// The way back: gradients of the layers in falling order. One tensor, `gradient`, follows the residual stream
// down.
#include "model/training_pass.h"
#include "ops/embedding.h"
#include "ops/matrix_product.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"

namespace msn {

void TrainingPass::backward(const ParameterSet& weights, ParameterSet& gradients, const CancelToken& cancel) {
  backend_.fill_zero(at_->gradient.data, at_->gradient.bytes());
  backend_.run(RmsNormBackward{.input = at_->final_input,
                               .weight = weights.final_norm(),
                               .inverse_rms = at_->final_inverse_rms,
                               .output_gradient = at_->normed_gradient,
                               .input_gradient = at_->gradient,
                               .weight_gradient = gradients.final_norm()});
  for (int64_t index = shape_.layers; index-- > 0;) {
    cancel.throw_if_cancelled();
    backward_layer(weights.layer(index), gradients.layer(index), at_->layers[index]);
  }
  backend_.run(EmbeddingBackward{inputs_, at_->gradient, gradients.embedding()});
}

void TrainingPass::backward_layer(const LayerParameters& weights, const LayerParameters& gradients,
                                  const LayerActivations& layer) {
  feed_forward_backward(weights, gradients, layer);
  attention_backward(weights, gradients, layer);
}

void TrainingPass::feed_forward_backward(const LayerParameters& weights, const LayerParameters& gradients,
                                         const LayerActivations& layer) {
  backend_.run(RmsNormForward{.input = layer.middle,
                              .weight = weights.attention_norm,
                              .epsilon = shape_.norm_epsilon,
                              .output = at_->normed,
                              .inverse_rms = layer.middle_inverse_rms});
  backend_.run(SwiGluForward{layer.gate_up, at_->inner});

  backend_.run(MatrixProduct{at_->gradient, false, weights.down, false, {}, at_->inner_gradient});
  backend_.run(MatrixProduct{at_->gradient, true, at_->inner, false, {}, gradients.down, true});
  const Tensor& gate_up_gradient = layer.gate_up;
  backend_.run(SwiGluBackward{layer.gate_up, at_->inner_gradient, gate_up_gradient});
  backend_.run(MatrixProduct{gate_up_gradient, false, weights.gate_up, false, {}, at_->normed_gradient});
  backend_.run(MatrixProduct{gate_up_gradient, true, at_->normed, false, {}, gradients.gate_up, true});
  backend_.run(RmsNormBackward{.input = layer.middle,
                               .weight = weights.attention_norm,
                               .inverse_rms = layer.middle_inverse_rms,
                               .output_gradient = at_->normed_gradient,
                               .input_gradient = at_->gradient,
                               .weight_gradient = gradients.attention_norm});
}

void TrainingPass::attention_backward(const LayerParameters& weights, const LayerParameters& gradients,
                                      const LayerActivations& layer) {
  backend_.run(MatrixProduct{at_->gradient, false, weights.output, false, {}, at_->attention_gradient});
  backend_.run(MatrixProduct{at_->gradient, true, layer.attention, false, {}, gradients.output, true});

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

  backend_.run(RmsNormForward{.input = layer.input,
                              .weight = weights.input_norm,
                              .epsilon = shape_.norm_epsilon,
                              .output = at_->normed,
                              .inverse_rms = layer.input_inverse_rms});
  backend_.run(MatrixProduct{at_->qkv_gradient, true, at_->normed, false, {}, gradients.qkv, true});
  if (gradients.qkv_bias) backend_.run(ColumnSum{at_->qkv_gradient, gradients.qkv_bias});
  backend_.run(MatrixProduct{at_->qkv_gradient, false, weights.qkv, false, {}, at_->normed_gradient});
  backend_.run(RmsNormBackward{.input = layer.input,
                               .weight = weights.input_norm,
                               .inverse_rms = layer.input_inverse_rms,
                               .output_gradient = at_->normed_gradient,
                               .input_gradient = at_->gradient,
                               .weight_gradient = gradients.input_norm});
}

}  // namespace msn
