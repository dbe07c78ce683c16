// Shows the training operations: arguments by their names in native/ops, in camelCase.
#include "base/moment_codes.h"
#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/gradient_norm.h"
#include "ops/matrix_product.h"
#include "ops/noise.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

MatrixProduct matrix_product(const Napi::Object& args) {
  return {tensor(args, "a"),           boolean(args, "transposeA"),   tensor(args, "b"),
          boolean(args, "transposeB"), optional_tensor(args, "bias"), tensor(args, "c"),
          boolean(args, "accumulate")};
}

ColumnSum column_sum(const Napi::Object& args) { return {tensor(args, "input"), tensor(args, "output")}; }

PackedAttentionForward packed_attention(const Napi::Object& args) {
  return {tensor(args, "query"),
          tensor(args, "keys"),
          tensor(args, "values"),
          tensor(args, "documentOffsets"),
          static_cast<int64_t>(number(args, "window")),
          tensor(args, "output"),
          tensor(args, "logSumExp")};
}

PackedAttentionBackward packed_attention_backward(const Napi::Object& args) {
  PackedAttentionBackward operation;
  operation.query = tensor(args, "query");
  operation.keys = tensor(args, "keys");
  operation.values = tensor(args, "values");
  operation.document_offsets = tensor(args, "documentOffsets");
  operation.window = static_cast<int64_t>(number(args, "window"));
  operation.output = tensor(args, "output");
  operation.log_sum_exp = tensor(args, "logSumExp");
  operation.output_gradient = tensor(args, "outputGradient");
  operation.query_gradient = tensor(args, "queryGradient");
  operation.keys_gradient = tensor(args, "keysGradient");
  operation.values_gradient = tensor(args, "valuesGradient");
  return operation;
}

LinearCrossEntropy cross_entropy(const Napi::Object& args) {
  LinearCrossEntropy operation;
  operation.hidden = tensor(args, "hidden");
  operation.head = tensor(args, "head");
  operation.targets = tensor(args, "targets");
  operation.gradient_scale = static_cast<float>(number(args, "gradientScale"));
  operation.losses = tensor(args, "losses");
  operation.predictions = optional_tensor(args, "predictions");
  operation.hidden_gradient = optional_tensor(args, "hiddenGradient");
  operation.head_gradient = optional_tensor(args, "headGradient");
  return operation;
}

AdamW adamw(const Napi::Object& args) {
  AdamW operation;
  operation.weight = tensor(args, "weight");
  operation.gradient = tensor(args, "gradient");
  operation.rounded = optional_tensor(args, "rounded");
  operation.first_moment = tensor(args, "firstMoment");
  operation.second_moment = tensor(args, "secondMoment");
  operation.first_scale = optional_tensor(args, "firstScale");
  operation.second_scale = optional_tensor(args, "secondScale");
  operation.learning_rate = number(args, "learningRate");
  operation.beta1 = number(args, "beta1");
  operation.beta2 = number(args, "beta2");
  operation.epsilon = number(args, "epsilon");
  operation.weight_decay = number(args, "weightDecay");
  operation.gradient_scale = number(args, "gradientScale", 1);
  operation.step = static_cast<int64_t>(number(args, "step"));
  return operation;
}

// What every code of an 8-bit moment stands for, as a part of its block's scale: { first, second }.
Napi::Value moment_values(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  const auto list = [&](const char* name, float (*value)(uint8_t)) {
    auto values = Napi::Float32Array::New(info.Env(), 256);
    for (int code = 0; code < 256; ++code) values[code] = value(static_cast<uint8_t>(code));
    result.Set(name, values);
  };
  list("first", first_moment_value);
  list("second", second_moment_value);
  return result;
}

SquaredNorm squared_norm(const Napi::Object& args) {
  return {tensor(args, "gradient"), tensor(args, "result")};
}

NoiseTokens noise(const Napi::Object& args) {
  NoiseTokens operation;
  operation.tokens = tensor(args, "tokens");
  operation.loss_mask = tensor(args, "lossMask");
  operation.document_offsets = tensor(args, "documentOffsets");
  operation.samples = tensor(args, "samples");
  operation.seed = static_cast<uint64_t>(number(args, "seed"));
  operation.epoch = static_cast<uint32_t>(number(args, "epoch"));
  operation.kind = string(args, "kind") == "uniform" ? NoiseKind::kUniform : NoiseKind::kAhead;
  operation.length = static_cast<int32_t>(number(args, "length"));
  operation.segments = static_cast<int32_t>(number(args, "segments"));
  operation.vocabulary = static_cast<int32_t>(number(args, "vocabulary"));
  operation.noised = tensor(args, "noised");
  operation.segment_offset = optional_tensor(args, "segmentOffset");
  return operation;
}

EmbeddingBackward embedding_backward(const Napi::Object& args) {
  return {tensor(args, "tokens"), tensor(args, "outputGradient"), tensor(args, "tableGradient")};
}

RmsNormBackward rms_norm_backward(const Napi::Object& args) {
  return {.input = tensor(args, "input"),
          .weight = tensor(args, "weight"),
          .inverse_rms = tensor(args, "inverseRms"),
          .output_gradient = tensor(args, "outputGradient"),
          .input_gradient = tensor(args, "inputGradient"),
          .rounded = optional_tensor(args, "rounded"),
          .weight_gradient = tensor(args, "weightGradient")};
}

SplitHeadsBackward split_heads_backward(const Napi::Object& args) {
  SplitHeadsBackward operation;
  operation.qkv = optional_tensor(args, "qkv");
  operation.query_norm = optional_tensor(args, "queryNorm");
  operation.key_norm = optional_tensor(args, "keyNorm");
  operation.epsilon = static_cast<float>(number(args, "epsilon"));
  operation.rotary = tensor(args, "rotary");
  operation.query_gradient = tensor(args, "queryGradient");
  operation.keys_gradient = tensor(args, "keysGradient");
  operation.values_gradient = tensor(args, "valuesGradient");
  operation.qkv_gradient = tensor(args, "qkvGradient");
  operation.query_norm_gradient = optional_tensor(args, "queryNormGradient");
  operation.key_norm_gradient = optional_tensor(args, "keyNormGradient");
  return operation;
}

SwiGluBackward swiglu_backward(const Napi::Object& args) {
  return {tensor(args, "gateUp"), tensor(args, "outputGradient"), tensor(args, "gateUpGradient")};
}

const Register registered[] = {
    {"matrixProduct", runner(matrix_product)},
    {"columnSum", runner(column_sum)},
    {"packedAttention", runner(packed_attention)},
    {"packedAttentionBackward", runner(packed_attention_backward)},
    {"crossEntropy", runner(cross_entropy)},
    {"adamw", runner(adamw)},
    {"momentValues", moment_values},
    {"squaredNorm", runner(squared_norm)},
    {"noise", runner(noise)},
    {"embeddingBackward", runner(embedding_backward)},
    {"rmsNormBackward", runner(rms_norm_backward)},
    {"splitHeadsBackward", runner(split_heads_backward)},
    {"swigluBackward", runner(swiglu_backward)},
};

}  // namespace
}  // namespace msn::testing
