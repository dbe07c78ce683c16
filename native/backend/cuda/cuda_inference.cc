// The operations of inference as calls of their kernels; matrix products are in cuda_products.cc.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernel_arguments.h"
#include "backend/cuda/weight_pointers.h"
#include "kernels/embedding.h"
#include "kernels/kv_compact.h"
#include "kernels/log_probability.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/split_heads.h"
#include "kernels/swiglu.h"
#include "kernels/top_k.h"
#include "kernels/tree_attention.h"
#include "ops/embedding.h"
#include "ops/kv_compact.h"
#include "ops/log_probability.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"
#include "ops/top_k.h"
#include "ops/tree_attention.h"

namespace msn {

void CudaBackend::run(const EmbeddingForward& args) {
  check(args, Dtype::kBf16);
  kernels::EmbeddingForward kernel{};
  kernel.tokens = args.tokens.i32();
  kernel.output = args.output.mutable_f32();
  kernel.rows = args.output.shape[0];
  kernel.hidden = args.output.shape[1];
  if (args.packed_table != nullptr) {
    const WeightPointers table(*args.packed_table);
    kernel.table = table.bf16;
    kernel.table_int8 = table.int8;
    kernel.scales = table.scales;
    kernel.stride = table.stride;
  } else {
    kernel.table = bf16(args.table);
    kernel.stride = kernel.hidden;
  }
  enqueue(module().embedding_forward, kernel, "embedding");
}

void CudaBackend::run(const RmsNormForward& args) {
  check(args, Dtype::kBf16);
  kernels::RmsNormForward kernel{};
  kernel.input = args.input.f32();
  kernel.addend = bf16(args.addend);
  kernel.sum = args.sum.mutable_f32();
  kernel.weight = args.weight.f32();
  kernel.output = mutable_bf16(args.output);
  kernel.inverse_rms = args.inverse_rms.mutable_f32();
  kernel.rows = args.input.shape[0];
  kernel.width = args.input.shape[1];
  kernel.epsilon = args.epsilon;
  check(kernel.width <= kernels::kWidestNorm, "expected at most 16384 columns", "rms_norm.input");
  enqueue(module().rms_norm_forward, kernel, "rms_norm");
}

void CudaBackend::run(const RotaryTable& args) {
  check(args);
  kernels::RotaryTable kernel{};
  kernel.positions = args.positions.i32();
  kernel.inverse_frequencies = args.inverse_frequencies.as<const double>();
  kernel.table = args.table.mutable_f32();
  kernel.rows = args.table.shape[0];
  kernel.head_dim = args.table.shape[1];
  enqueue(module().rotary_table, kernel, "rotary");
}

void CudaBackend::run(const SplitHeadsForward& args) {
  check(args, Dtype::kBf16);
  kernels::SplitHeadsForward kernel{};
  kernel.qkv = bf16(args.qkv);
  kernel.query_norm = args.query_norm.f32();
  kernel.key_norm = args.key_norm.f32();
  kernel.rotary = args.rotary.f32();
  kernel.first_row = args.first_row.i32();
  kernel.query = mutable_bf16(args.query);
  kernel.keys = mutable_bf16(args.keys);
  kernel.values = mutable_bf16(args.values);
  kernel.rows = args.query.shape[0];
  kernel.heads = args.query.shape[1];
  kernel.kv_heads = args.keys.shape[0];
  kernel.head_dim = args.query.shape[2];
  kernel.capacity = args.keys.shape[1];
  kernel.epsilon = args.epsilon;
  check(kernel.head_dim <= kernels::kWidestHead, "expected a head_dim of at most 512", "split_heads.query");
  enqueue(module().split_heads_forward, kernel, "split_heads");
}

void CudaBackend::run(const SwiGluForward& args) {
  check(args, Dtype::kBf16);
  kernels::SwiGluForward kernel{};
  kernel.gate_up = bf16(args.gate_up);
  kernel.output = mutable_bf16(args.output);
  kernel.rows = args.output.shape[0];
  kernel.inner = args.output.shape[1];
  enqueue(module().swiglu_forward, kernel, "swiglu");
}

void CudaBackend::run(const TopK& args) {
  check(args);
  kernels::TopK kernel{};
  kernel.logits = args.logits.f32();
  kernel.rows = args.rows.i32();
  kernel.indices = mutable_i32(args.indices);
  kernel.values = args.values.mutable_f32();
  kernel.results = args.indices.shape[0];
  kernel.vocabulary = args.logits.shape[1];
  kernel.k = args.indices.shape[1];
  check(kernel.k <= kernels::kMostWanted, "expected k of at most 64", "top_k.indices");
  enqueue(module().top_k, kernel, "top_k");
}

void CudaBackend::run(const LogProbability& args) {
  check(args);
  kernels::LogProbability kernel{};
  kernel.logits = args.logits.f32();
  kernel.targets = args.targets.i32();
  kernel.output = args.output.mutable_f32();
  kernel.rows = args.logits.shape[0];
  kernel.vocabulary = args.logits.shape[1];
  enqueue(module().log_probability, kernel, "log_probability");
}

void CudaBackend::run(const KvCompact& args) {
  check(args);
  check(args.cache.dtype == Dtype::kBf16, "expected BF16", "kv_compact.cache");
  kernels::KvCompact kernel{};
  kernel.cache = mutable_bf16(args.cache);
  kernel.sources = args.sources.i32();
  kernel.first_row = args.first_row.i32();
  kernel.count = args.count.i32();
  kernel.blocks = args.cache.shape[0];
  kernel.capacity = args.cache.shape[1];
  kernel.head_dim = args.cache.shape[2];
  kernel.rows = args.sources.shape[0];
  enqueue(module().kv_compact, kernel, "kv_compact");
}

void CudaBackend::run(const TreeAttention& args) {
  check(args, Dtype::kBf16);
  kernels::TreeAttention kernel{};
  kernel.query = bf16(args.query);
  kernel.keys = bf16(args.keys);
  kernel.values = bf16(args.values);
  kernel.prefix_length = args.prefix_length.i32();
  kernel.parents = args.parents.i32();
  kernel.output = mutable_bf16(args.output);
  kernel.nodes = args.query.shape[0];
  kernel.heads = args.query.shape[1];
  kernel.kv_heads = args.keys.shape[0];
  kernel.head_dim = args.query.shape[2];
  kernel.capacity = args.keys.shape[1];
  kernel.window = args.window;
  kernel.chain = args.chain;
  enqueue(module().tree_attention, kernel, "tree_attention");
}

}  // namespace msn
