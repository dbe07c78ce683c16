// The operations of training as calls of their kernels.
#include "backend/cuda/cuda_backend.h"

namespace msn {

void CudaBackend::run(const NoiseTokens&) { refuse_unmapped("noise"); }
void CudaBackend::run(const MatrixProduct&) { refuse_unmapped("matrix_product"); }
void CudaBackend::run(const ColumnSum&) { refuse_unmapped("column_sum"); }
void CudaBackend::run(const PackedAttentionForward&) { refuse_unmapped("packed_attention"); }
void CudaBackend::run(const PackedAttentionBackward&) { refuse_unmapped("packed_attention_backward"); }
void CudaBackend::run(const EmbeddingBackward&) { refuse_unmapped("embedding_backward"); }
void CudaBackend::run(const RmsNormBackward&) { refuse_unmapped("rms_norm_backward"); }
void CudaBackend::run(const SplitHeadsBackward&) { refuse_unmapped("split_heads_backward"); }
void CudaBackend::run(const SwiGluBackward&) { refuse_unmapped("swiglu_backward"); }
void CudaBackend::run(const SquaredNorm&) { refuse_unmapped("gradient_norm"); }
void CudaBackend::run(const AdamW&) { refuse_unmapped("adamw"); }

}  // namespace msn
