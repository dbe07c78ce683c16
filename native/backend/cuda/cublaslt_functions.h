// The dozen functions of cuBLASLt that are used, declared here so that neither its headers nor the library is
// needed to build: names, types and values are those of cublasLt.h, unchanged from CUDA 11.4 to 13.
#pragma once
#include <cstddef>
#include <cstdint>

namespace msn::cublaslt {

using Status = int;  // cublasStatus_t; 0: fine
using Handle = void*;
using ProductDescription = void*;  // cublasLtMatmulDesc_t
using Layout = void*;              // cublasLtMatrixLayout_t: column-major
using Preference = void*;          // cublasLtMatmulPreference_t

constexpr int kReal32 = 0;          // CUDA_R_32F
constexpr int kRealBf16 = 14;       // CUDA_R_16BF
constexpr int kComputeReal32 = 68;  // CUBLAS_COMPUTE_32F

constexpr int kDescriptionTransposeA = 3;  // CUBLASLT_MATMUL_DESC_TRANSA, int32
constexpr int kDescriptionTransposeB = 4;  // CUBLASLT_MATMUL_DESC_TRANSB, int32
constexpr int32_t kTransposed = 1;         // CUBLAS_OP_T

constexpr int kPreferenceWorkspaceBytes = 1;  // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64
constexpr int kPreferenceAlignmentA = 5;      // CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32
constexpr int kPreferenceAlignmentB = 6;
constexpr int kPreferenceAlignmentC = 7;
constexpr int kPreferenceAlignmentD = 8;

struct Algorithm {  // cublasLtMatmulAlgo_t
  uint64_t data[8];
};
struct HeuristicResult {  // cublasLtMatmulHeuristicResult_t
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 96);

struct Functions {
  size_t (*get_version)();  // 130002: 13.0.2; 120103: 12.1.3
  Status (*create)(Handle* handle);
  Status (*destroy)(Handle handle);
  Status (*product_create)(ProductDescription* product, int compute_type, int scale_type);
  Status (*product_destroy)(ProductDescription product);
  Status (*product_set)(ProductDescription product, int attribute, const void* value, size_t bytes);
  Status (*layout_create)(Layout* layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  Status (*layout_destroy)(Layout layout);
  Status (*preference_create)(Preference* preference);
  Status (*preference_destroy)(Preference preference);
  Status (*preference_set)(Preference preference, int attribute, const void* value, size_t bytes);
  Status (*find_algorithms)(Handle handle, ProductDescription product, Layout a, Layout b, Layout c, Layout d,
                            Preference preference, int most, HeuristicResult* results, int* found);
  Status (*multiply)(Handle handle, ProductDescription product, const void* alpha, const void* a,
                     Layout a_layout, const void* b, Layout b_layout, const void* beta, const void* c,
                     Layout c_layout, void* d, Layout d_layout, const Algorithm* algorithm, void* workspace,
                     size_t workspace_bytes, void* stream);
};

}  // namespace msn::cublaslt
