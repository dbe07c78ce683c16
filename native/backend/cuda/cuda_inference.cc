// The operations of inference as calls of their kernels.
#include "backend/cuda/cuda_backend.h"
#include "kernels/rms_norm.h"
#include "ops/rms_norm.h"

namespace msn {

void CudaBackend::run(const RmsNormForward& args) {
  check(args, Dtype::kBf16);
  kernels::RmsNormForward kernel;
  kernel.input = args.input.f32();
  kernel.addend = args.addend.as<const kernels::Bf16>();
  kernel.sum = args.sum.mutable_f32();
  kernel.weight = args.weight.f32();
  kernel.output = args.output.as<kernels::Bf16>();
  kernel.inverse_rms = args.inverse_rms.mutable_f32();
  kernel.rows = args.input.shape[0];
  kernel.width = args.input.shape[1];
  kernel.epsilon = args.epsilon;
  enqueue(module().rms_norm_forward, kernel, "rms_norm");
}

void CudaBackend::run(const EmbeddingForward&) { refuse_unmapped("embedding"); }
void CudaBackend::run(const RotaryTable&) { refuse_unmapped("rotary"); }
void CudaBackend::run(const SplitHeadsForward&) { refuse_unmapped("split_heads"); }
void CudaBackend::run(const TreeAttention&) { refuse_unmapped("tree_attention"); }
void CudaBackend::run(const LinearForward&) { refuse_unmapped("linear"); }
void CudaBackend::run(const SwiGluForward&) { refuse_unmapped("swiglu"); }
void CudaBackend::run(const TopK&) { refuse_unmapped("top_k"); }
void CudaBackend::run(const LogProbability&) { refuse_unmapped("log_probability"); }
void CudaBackend::run(const KvCompact&) { refuse_unmapped("kv_compact"); }

}  // namespace msn
