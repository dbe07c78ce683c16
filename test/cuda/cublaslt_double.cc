// A test double of cuBLASLt that multiplies in host memory, which is the shim's device memory. It checks what
// it is given and appends a line for every product to the file that MSN_CUBLASLT_DOUBLE_LOG names.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "backend/cuda/cublaslt_functions.h"
#include "kernels/bf16.h"

namespace {

using namespace msn::cublaslt;  // the types of the functions that are doubled
using msn::kernels::Bf16;
using msn::kernels::to_bf16;
using msn::kernels::to_float;

constexpr Status kInvalidValue = 7;   // CUBLAS_STATUS_INVALID_VALUE
constexpr Status kNotSupported = 15;  // CUBLAS_STATUS_NOT_SUPPORTED

struct Product {
  int32_t transpose_a = 0, transpose_b = 0;
};
struct Matrix {
  int type;
  int64_t rows, columns, stride;  // column-major
};
struct Wishes {
  uint64_t workspace_bytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};
};

std::atomic<int> handles{0};
std::atomic<int> objects{0};  // of all handles

const Matrix& matrix(Layout layout) { return *static_cast<const Matrix*>(layout); }

float value_at(const void* data, const Matrix& of, int64_t row, int64_t column) {
  return to_float(static_cast<const Bf16*>(data)[row + column * of.stride]);
}

bool fits(const Product& product, const Matrix& a, const Matrix& b, const Matrix& d) {
  const int64_t m = product.transpose_a != 0 ? a.columns : a.rows;
  const int64_t k = product.transpose_a != 0 ? a.rows : a.columns;
  const int64_t n = product.transpose_b != 0 ? b.rows : b.columns;
  const int64_t k_of_b = product.transpose_b != 0 ? b.columns : b.rows;
  return a.type == kRealBf16 && b.type == kRealBf16 && a.stride >= a.rows && b.stride >= b.rows &&
         d.stride >= d.rows && d.rows == m && d.columns == n && k == k_of_b;
}

void log_product(int64_t m, int64_t n, int64_t k, const Product& product, const Matrix& d, float beta) {
  const char* const path = std::getenv("MSN_CUBLASLT_DOUBLE_LOG");
  if (path == nullptr) return;
  std::FILE* const file = std::fopen(path, "a");
  if (file == nullptr) std::abort();
  std::fprintf(file, "%lld %lld %lld %c%c %s beta %g\n", static_cast<long long>(m), static_cast<long long>(n),
               static_cast<long long>(k), product.transpose_a != 0 ? 't' : 'n',
               product.transpose_b != 0 ? 't' : 'n', d.type == kReal32 ? "f32" : "bf16",
               static_cast<double>(beta));
  std::fclose(file);
}

}  // namespace

extern "C" {

size_t cublasLtGetVersion() {
  const char* const version = std::getenv("MSN_CUBLASLT_DOUBLE_VERSION");
  return version != nullptr ? static_cast<size_t>(std::atoi(version)) : 130002;
}

Status cublasLtCreate(Handle* handle) {
  *handle = new int(++handles);
  return 0;
}
Status cublasLtDestroy(Handle handle) {
  delete static_cast<int*>(handle);
  // Whoever destroys a handle has destroyed everything else.
  if (--handles == 0 && objects != 0) std::abort();
  return 0;
}

Status cublasLtMatmulDescCreate(ProductDescription* product, int compute_type, int scale_type) {
  if (compute_type != kComputeReal32 || scale_type != kReal32) return kInvalidValue;
  *product = new Product();
  ++objects;
  return 0;
}
Status cublasLtMatmulDescDestroy(ProductDescription product) {
  delete static_cast<Product*>(product);
  --objects;
  return 0;
}
Status cublasLtMatmulDescSetAttribute(ProductDescription product, int attribute, const void* value,
                                      size_t bytes) {
  if (bytes != sizeof(int32_t)) return kInvalidValue;
  Product& of = *static_cast<Product*>(product);
  int32_t* const field = attribute == 3 ? &of.transpose_a : attribute == 4 ? &of.transpose_b : nullptr;
  if (field == nullptr) return kInvalidValue;
  std::memcpy(field, value, bytes);
  return 0;
}

Status cublasLtMatrixLayoutCreate(Layout* layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  *layout = new Matrix{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), stride};
  ++objects;
  return 0;
}
Status cublasLtMatrixLayoutDestroy(Layout layout) {
  delete static_cast<Matrix*>(layout);
  --objects;
  return 0;
}

Status cublasLtMatmulPreferenceCreate(Preference* preference) {
  *preference = new Wishes();
  ++objects;
  return 0;
}
Status cublasLtMatmulPreferenceDestroy(Preference preference) {
  delete static_cast<Wishes*>(preference);
  --objects;
  return 0;
}
Status cublasLtMatmulPreferenceSetAttribute(Preference preference, int attribute, const void* value,
                                            size_t bytes) {
  Wishes& of = *static_cast<Wishes*>(preference);
  if (attribute == 1 && bytes == sizeof of.workspace_bytes) {
    std::memcpy(&of.workspace_bytes, value, bytes);
    return 0;
  }
  if (attribute < 5 || attribute > 8 || bytes != sizeof(uint32_t)) return kInvalidValue;
  std::memcpy(&of.alignment[attribute - 5], value, bytes);
  return 0;
}

Status cublasLtMatmulAlgoGetHeuristic(Handle, ProductDescription product, Layout a, Layout b, Layout c,
                                      Layout d, Preference preference, int most, HeuristicResult* results,
                                      int* found) {
  *found = 0;
  const Wishes& wishes = *static_cast<const Wishes*>(preference);
  if (most < 1 || c != d || wishes.workspace_bytes == 0) return kInvalidValue;
  if (!fits(*static_cast<const Product*>(product), matrix(a), matrix(b), matrix(d))) return kInvalidValue;
  // As the library on most devices: bf16 matrices whose rows are no multiple of 16 bytes.
  if (matrix(a).stride % 8 != 0 || matrix(b).stride % 8 != 0 || wishes.alignment[0] < 16)
    return kNotSupported;
  results[0] = {};
  results[0].algorithm.data[0] = 42;
  *found = 1;
  return 0;
}

Status cublasLtMatmul(Handle, ProductDescription product, const void* alpha, const void* a, Layout a_layout,
                      const void* b, Layout b_layout, const void* beta, const void* c, Layout, void* d,
                      Layout d_layout, const Algorithm* algorithm, void* workspace, size_t, void* stream) {
  const Product& of = *static_cast<const Product*>(product);
  const Matrix &first = matrix(a_layout), &second = matrix(b_layout), &result = matrix(d_layout);
  const float scale = *static_cast<const float*>(alpha), kept = *static_cast<const float*>(beta);
  if (algorithm->data[0] != 42 || workspace == nullptr || stream == nullptr || c != d || scale != 1 ||
      !fits(of, first, second, result))
    return kInvalidValue;
  const int64_t m = result.rows, n = result.columns;
  const int64_t k = of.transpose_a != 0 ? first.rows : first.columns;
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) {
      float sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += (of.transpose_a != 0 ? value_at(a, first, l, i) : value_at(a, first, i, l)) *
               (of.transpose_b != 0 ? value_at(b, second, j, l) : value_at(b, second, l, j));
      const int64_t place = i + j * result.stride;
      if (result.type == kReal32) {
        float& cell = static_cast<float*>(d)[place];
        cell = kept != 0 ? sum + kept * cell : sum;
      } else {
        static_cast<Bf16*>(d)[place] = to_bf16(sum);
      }
    }
  log_product(m, n, k, of, result, kept);
  return 0;
}

}  // extern "C"
