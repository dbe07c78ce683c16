// cuBLASLt is column-major: the row-major c = op(a) op(b) is its c^T = op(b)^T op(a)^T, so b comes first and
// a row-major matrix is a transposed one as it lies.
#include "backend/cuda/cublaslt.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace msn {
namespace {

constexpr size_t kMostPlans = 1024;

void check(cublaslt::Status status, const char* action) {
  if (status != 0)
    throw Error(ErrorCode::kDevice,
                std::string(action) + " failed with cuBLAS status " + std::to_string(status) +
                    "; MSN_CUBLASLT=off computes without the library",
                "cuBLASLt");
}

// The largest power of two, up to 256, that divides the address.
int alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<int>(bits & -bits);
}

}  // namespace

// The library's objects for one kind of product.
struct CublasLt::Plan {
  explicit Plan(const cublaslt::Functions& library) : functions(library) {}
  ~Plan() {
    for (const cublaslt::Layout layout : {first, second, result})
      if (layout != nullptr) functions.layout_destroy(layout);
    if (product != nullptr) functions.product_destroy(product);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const cublaslt::Functions& functions;
  cublaslt::ProductDescription product = nullptr;
  cublaslt::Layout first = nullptr;   // of b
  cublaslt::Layout second = nullptr;  // of a
  cublaslt::Layout result = nullptr;
  cublaslt::Algorithm algorithm{};
};

CublasLt::CublasLt(const CublasLtLibrary& library) : functions_(*library.functions) {
  check(functions_.create(&handle_), "beginning");
}

CublasLt::~CublasLt() {
  plans_.clear();
  functions_.destroy(handle_);
}

std::unique_ptr<CublasLt::Plan> CublasLt::make_plan(const LibraryProduct& product,
                                                    const int (&alignments)[3]) {
  auto plan = std::make_unique<Plan>(functions_);
  check(functions_.product_create(&plan->product, cublaslt::kComputeReal32, cublaslt::kReal32),
        "describing a product");
  const auto transpose = [&](int attribute, bool wanted) {
    if (wanted)
      check(functions_.product_set(plan->product, attribute, &cublaslt::kTransposed,
                                   sizeof cublaslt::kTransposed),
            "describing a product");
  };
  transpose(cublaslt::kDescriptionTransposeA, product.transpose_b);
  transpose(cublaslt::kDescriptionTransposeB, product.transpose_a);
  const auto layout = [&](cublaslt::Layout& made, int type, int64_t rows, int64_t columns, int64_t stride) {
    check(functions_.layout_create(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns),
                                   stride),
          "describing a matrix");
  };
  const auto [m, n, k] = std::tuple(product.m, product.n, product.k);
  layout(plan->first, cublaslt::kRealBf16, product.transpose_b ? k : n, product.transpose_b ? n : k,
         product.b_stride);
  layout(plan->second, cublaslt::kRealBf16, product.transpose_a ? m : k, product.transpose_a ? k : m,
         product.a_stride);
  layout(plan->result, product.c_is_f32 ? cublaslt::kReal32 : cublaslt::kRealBf16, n, m, n);

  cublaslt::Preference made = nullptr;
  check(functions_.preference_create(&made), "stating a preference");
  const std::unique_ptr<void, cublaslt::Status (*)(void*)> preference(made, functions_.preference_destroy);
  const auto prefer = [&](int attribute, const auto& value) {
    check(functions_.preference_set(made, attribute, &value, sizeof value), "stating a preference");
  };
  prefer(cublaslt::kPreferenceWorkspaceBytes, static_cast<uint64_t>(kWorkspaceBytes));
  prefer(cublaslt::kPreferenceAlignmentA, static_cast<uint32_t>(alignments[1]));
  prefer(cublaslt::kPreferenceAlignmentB, static_cast<uint32_t>(alignments[0]));
  prefer(cublaslt::kPreferenceAlignmentC, static_cast<uint32_t>(alignments[2]));
  prefer(cublaslt::kPreferenceAlignmentD, static_cast<uint32_t>(alignments[2]));

  cublaslt::HeuristicResult best{};
  int found = 0;
  const cublaslt::Status status = functions_.find_algorithms(
      handle_, plan->product, plan->first, plan->second, plan->result, plan->result, made, 1, &best, &found);
  if (status != 0 || found == 0 || best.state != 0) return nullptr;
  plan->algorithm = best.algorithm;
  return plan;
}

bool CublasLt::multiply(const LibraryProduct& product, void* workspace, kernels::Stream stream) {
  const int alignments[] = {alignment_of(product.a), alignment_of(product.b), alignment_of(product.c)};
  const Key key(product.m, product.n, product.k, product.a_stride, product.b_stride, product.transpose_a,
                product.transpose_b, product.c_is_f32, product.accumulate, alignments[0], alignments[1],
                alignments[2]);
  auto place = plans_.find(key);
  if (place == plans_.end()) {
    if (plans_.size() >= kMostPlans) plans_.clear();
    place = plans_.emplace(key, make_plan(product, alignments)).first;
  }
  const Plan* const plan = place->second.get();
  if (plan == nullptr) return false;
  const float alpha = 1, beta = product.accumulate ? 1 : 0;
  check(functions_.multiply(handle_, plan->product, &alpha, product.b, plan->first, product.a, plan->second,
                            &beta, product.c, plan->result, product.c, plan->result, &plan->algorithm,
                            workspace, kWorkspaceBytes, stream),
        "a product");
  return true;
}

}  // namespace msn
