// The operations of training as calls of their kernels; those that multiply matrices are in cuda_products.cc.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernel_arguments.h"
#include "kernels/adamw.h"
#include "kernels/embedding.h"
#include "kernels/gradient_norm.h"
#include "kernels/noise_tokens.h"
#include "kernels/packed_attention.h"
#include "kernels/rms_norm.h"
#include "kernels/split_heads.h"
#include "kernels/swiglu.h"
#include "ops/adamw.h"
#include "ops/embedding.h"
#include "ops/gradient_norm.h"
#include "ops/noise.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"

namespace msn {
namespace {

// What both passes of the packed attention are given.
void fill(auto& kernel, const auto& args) {
  kernel.query = bf16(args.query);
  kernel.keys = bf16(args.keys);
  kernel.values = bf16(args.values);
  kernel.document_offsets = args.document_offsets.i32();
  kernel.tokens = args.query.shape[0];
  kernel.heads = args.query.shape[1];
  kernel.kv_heads = args.keys.shape[0];
  kernel.head_dim = args.query.shape[2];
  kernel.documents = args.document_offsets.shape[0] - 1;
  kernel.window = args.window;
}

}  // namespace

void CudaBackend::run(const PackedAttentionForward& args) {
  check(args, Dtype::kBf16);
  kernels::PackedAttentionForward kernel{};
  fill(kernel, args);
  kernel.output = mutable_bf16(args.output);
  kernel.log_sum_exp = args.log_sum_exp.mutable_f32();
  enqueue(module().packed_attention_forward, kernel, "packed_attention");
}

void CudaBackend::run(const PackedAttentionBackward& args) {
  check(args, Dtype::kBf16);
  kernels::PackedAttentionBackward kernel{};
  fill(kernel, args);
  kernel.output = bf16(args.output);
  kernel.log_sum_exp = args.log_sum_exp.f32();
  kernel.output_gradient = bf16(args.output_gradient);
  kernel.query_gradient = mutable_bf16(args.query_gradient);
  kernel.keys_gradient = mutable_bf16(args.keys_gradient);
  kernel.values_gradient = mutable_bf16(args.values_gradient);
  enqueue(module().packed_attention_backward, kernel, "packed_attention_backward");
}

void CudaBackend::run(const EmbeddingBackward& args) {
  check(args);
  kernels::EmbeddingBackward kernel{};
  kernel.tokens = args.tokens.i32();
  kernel.output_gradient = args.output_gradient.f32();
  kernel.table_gradient = args.table_gradient.mutable_f32();
  kernel.rows = args.output_gradient.shape[0];
  kernel.hidden = args.output_gradient.shape[1];
  enqueue(module().embedding_backward, kernel, "embedding_backward");
}

void CudaBackend::run(const SplitHeadsBackward& args) {
  check(args, Dtype::kBf16);
  kernels::SplitHeadsBackward kernel{};
  kernel.qkv = bf16(args.qkv);
  kernel.query_norm = args.query_norm.f32();
  kernel.key_norm = args.key_norm.f32();
  kernel.rotary = args.rotary.f32();
  kernel.query_gradient = bf16(args.query_gradient);
  kernel.keys_gradient = bf16(args.keys_gradient);
  kernel.values_gradient = bf16(args.values_gradient);
  kernel.qkv_gradient = mutable_bf16(args.qkv_gradient);
  kernel.query_norm_gradient = args.query_norm_gradient.mutable_f32();
  kernel.key_norm_gradient = args.key_norm_gradient.mutable_f32();
  kernel.rows = args.query_gradient.shape[0];
  kernel.heads = args.query_gradient.shape[1];
  kernel.kv_heads = args.keys_gradient.shape[0];
  kernel.head_dim = args.query_gradient.shape[2];
  kernel.epsilon = args.epsilon;
  check(kernel.head_dim <= kernels::kWidestHead, "expected a head_dim of at most 512",
        "split_heads_backward.query_gradient");
  enqueue(module().split_heads_backward, kernel, "split_heads_backward");
}

void CudaBackend::run(const SwiGluBackward& args) {
  check(args, Dtype::kBf16);
  kernels::SwiGluBackward kernel{};
  kernel.gate_up = bf16(args.gate_up);
  kernel.output_gradient = bf16(args.output_gradient);
  kernel.gate_up_gradient = mutable_bf16(args.gate_up_gradient);
  kernel.rows = args.output_gradient.shape[0];
  kernel.inner = args.output_gradient.shape[1];
  enqueue(module().swiglu_backward, kernel, "swiglu_backward");
}

void CudaBackend::run(const RmsNormBackward& args) {
  check(args, Dtype::kBf16);
  kernels::RmsNormBackward kernel{};
  kernel.input = args.input.f32();
  kernel.weight = args.weight.f32();
  kernel.inverse_rms = args.inverse_rms.f32();
  kernel.output_gradient = bf16(args.output_gradient);
  kernel.input_gradient = args.input_gradient.mutable_f32();
  kernel.rounded = mutable_bf16(args.rounded);
  kernel.weight_gradient = args.weight_gradient.mutable_f32();
  kernel.rows = args.input.shape[0];
  kernel.width = args.input.shape[1];
  check(kernel.width <= kernels::kWidestNorm, "expected at most 16384 columns", "rms_norm_backward.input");
  enqueue(module().rms_norm_backward, kernel, "rms_norm_backward");
}

void CudaBackend::run(const NoiseTokens& args) {
  check(args);
  kernels::NoiseTokens kernel{};
  kernel.tokens = args.tokens.i32();
  kernel.loss_mask = args.loss_mask.as<const uint8_t>();
  kernel.document_offsets = args.document_offsets.i32();
  kernel.samples = args.samples.i32();
  kernel.noised = mutable_i32(args.noised);
  kernel.segment_offset = mutable_i32(args.segment_offset);
  kernel.tokens_count = args.tokens.shape[0];
  kernel.documents = args.samples.shape[0];
  kernel.seed = args.seed;
  kernel.epoch = args.epoch;
  kernel.uniform = args.kind == NoiseKind::kUniform;
  kernel.length = args.length;
  kernel.segments = args.segments;
  kernel.vocabulary = args.vocabulary;
  enqueue(module().noise_tokens, kernel, "noise");
}

void CudaBackend::run(const SquaredNorm& args) {
  check(args);
  kernels::SquaredNorm kernel{};
  kernel.gradient = args.gradient.f32();
  kernel.result = args.result.as<double>();
  kernel.count = args.gradient.elements();
  enqueue(module().squared_norm, kernel, "gradient_norm");
}

void CudaBackend::run(const AdamW& args) {
  check(args, Dtype::kBf16);
  kernels::AdamW kernel{};
  kernel.weight = args.weight.mutable_f32();
  kernel.gradient = args.gradient.f32();
  kernel.rounded = mutable_bf16(args.rounded);
  if (args.first_moment.dtype == Dtype::kU8) {
    kernel.first_codes = args.first_moment.as<uint8_t>();
    kernel.second_codes = args.second_moment.as<uint8_t>();
  } else {
    kernel.first_moment = args.first_moment.mutable_f32();
    kernel.second_moment = args.second_moment.mutable_f32();
  }
  kernel.first_scale = args.first_scale.mutable_f32();
  kernel.second_scale = args.second_scale.mutable_f32();
  kernel.count = args.weight.elements();
  kernel.learning_rate = args.learning_rate;
  kernel.beta1 = args.beta1;
  kernel.beta2 = args.beta2;
  kernel.epsilon = args.epsilon;
  kernel.weight_decay = args.weight_decay;
  kernel.gradient_scale = args.gradient_scale;
  kernel.step = args.step;
  enqueue(module().adamw, kernel, "adamw");
}

}  // namespace msn
