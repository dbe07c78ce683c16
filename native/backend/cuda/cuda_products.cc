// Matrix products: through the library where it is there, the product is large and its numbers may depend on
// its shape; else through the kernels.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernel_arguments.h"
#include "backend/cuda/weight_pointers.h"
#include "kernels/linear.h"
#include "kernels/matrix_product.h"
#include "ops/linear.h"
#include "ops/matrix_product.h"

namespace msn {
namespace {

// The most rows that the skinny product is made for.
constexpr int64_t kMostSkinnyRows = 128;
// Multiplications below which a product goes to the kernels: calling the library costs the host more.
constexpr int64_t kLeastLibraryWork = int64_t{1} << 24;

LibraryProduct for_library(const kernels::MatrixProduct& kernel) {
  return {.a = kernel.a,
          .a_stride = kernel.a_stride,
          .transpose_a = kernel.transpose_a,
          .b = kernel.b,
          .b_stride = kernel.b_stride,
          .transpose_b = kernel.transpose_b,
          .c = kernel.c_f32 != nullptr ? static_cast<void*>(kernel.c_f32) : kernel.c,
          .c_is_f32 = kernel.c_f32 != nullptr,
          .accumulate = kernel.accumulate,
          .m = kernel.m,
          .n = kernel.n,
          .k = kernel.k};
}

}  // namespace

CublasLt* CudaBackend::library() {
  if (!library_ && cublaslt_library().functions) {
    device_.select();
    library_workspace_ = allocate(CublasLt::kWorkspaceBytes);
    library_ = std::make_unique<CublasLt>(cublaslt_library());
  }
  return library_.get();
}

void CudaBackend::multiply(const kernels::MatrixProduct& kernel, const char* operation) {
  // A recorded step is a decode step, and the library adds no bias in f32 to a result in bf16.
  const bool large = kernel.m * kernel.n * kernel.k >= kLeastLibraryWork;
  if (large && !capturing_ && kernel.bias == nullptr && library() != nullptr) {
    device_.select();
    if (library_->multiply(for_library(kernel), library_workspace_.data(), stream_->get())) return;
  }
  enqueue(module().matrix_product, kernel, operation);
}

void CudaBackend::run(const LinearForward& args) {
  check(args, Dtype::kBf16);
  const WeightMatrix& matrix = *args.weight;
  const WeightPointers weight(matrix);
  const int64_t rows = args.input.shape[0];
  if (!args.fixed_order && rows > kMostSkinnyRows && weight.bf16 != nullptr) {
    kernels::MatrixProduct kernel{};
    kernel.a = bf16(args.input);
    kernel.b = weight.bf16;
    kernel.bias = args.bias.f32();
    kernel.c = if_bf16(args.output);
    kernel.c_f32 = if_f32(args.output);
    kernel.transpose_b = true;
    kernel.accumulate = args.accumulate;
    kernel.m = rows;
    kernel.n = matrix.outputs;
    kernel.k = matrix.inputs;
    kernel.a_stride = matrix.inputs;
    kernel.b_stride = weight.stride;
    kernel.c_stride = matrix.outputs;
    return multiply(kernel, "linear");
  }
  kernels::Linear kernel{};
  kernel.input = bf16(args.input);
  kernel.weight = weight.bf16;
  kernel.weight_int8 = weight.int8;
  kernel.scales = weight.scales;
  kernel.bias = args.bias.f32();
  kernel.output = if_bf16(args.output);
  kernel.output_f32 = if_f32(args.output);
  kernel.accumulate = args.accumulate;
  kernel.gated = args.gated;
  kernel.rows = rows;
  kernel.inputs = matrix.inputs;
  kernel.outputs = matrix.outputs;
  enqueue(module().linear, kernel, "linear");
}

void CudaBackend::run(const MatrixProduct& args) {
  check(args, Dtype::kBf16);
  kernels::MatrixProduct kernel{};
  kernel.a = bf16(args.a);
  kernel.b = bf16(args.b);
  kernel.bias = args.bias.f32();
  kernel.c = if_bf16(args.c);
  kernel.c_f32 = if_f32(args.c);
  kernel.transpose_a = args.transpose_a;
  kernel.transpose_b = args.transpose_b;
  kernel.accumulate = args.accumulate;
  kernel.m = args.c.shape[0];
  kernel.n = args.c.shape[1];
  kernel.k = args.a.shape[args.transpose_a ? 0 : 1];
  kernel.a_stride = args.a.shape[1];
  kernel.b_stride = args.b.shape[1];
  kernel.c_stride = args.c.shape[1];
  multiply(kernel, "matrix_product");
}

void CudaBackend::run(const ColumnSum& args) {
  check(args, Dtype::kBf16);
  kernels::ColumnSum kernel{};
  kernel.input = bf16(args.input);
  kernel.output = args.output.mutable_f32();
  kernel.rows = args.input.shape[0];
  kernel.width = args.input.shape[1];
  enqueue(module().column_sum, kernel, "column_sum");
}

}  // namespace msn
