// Large matrix products through cuBLASLt. It picks its algorithm by shape, so it serves training and the
// prefill, never a step whose numbers must not depend on the number of rows.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "backend/cuda/cublaslt_library.h"
#include "kernels/launch.h"

namespace msn {

// c[m, n] = op(a) op(b) (+ c), row-major, f32 sums.
struct LibraryProduct {
  const void* a;  // bf16 [m, k], or [k, m] with transpose_a; rows a_stride elements apart
  int64_t a_stride;
  bool transpose_a;
  const void* b;  // bf16 [k, n], or [n, k] with transpose_b
  int64_t b_stride;
  bool transpose_b;
  void* c;  // bf16 or f32 [m, n]
  bool c_is_f32;
  bool accumulate;
  int64_t m, n, k;
};

// One handle; for one thread at a time.
class CublasLt {
 public:
  static constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

  // The library must be there. Throws ERR_DEVICE when it cannot begin on the calling thread's device.
  explicit CublasLt(const CublasLtLibrary& library);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  // Enqueues the product. False when the library has no algorithm for it; then nothing is enqueued.
  // workspace: kWorkspaceBytes of device memory that nothing else uses on another stream.
  bool multiply(const LibraryProduct& product, void* workspace, kernels::Stream stream);

 private:
  struct Plan;
  // What the choice of an algorithm depends on.
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, bool, bool, int, int, int>;
  std::unique_ptr<Plan> make_plan(const LibraryProduct& product, const int (&alignments)[3]);

  const cublaslt::Functions& functions_;
  cublaslt::Handle handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;  // null: there is no algorithm
};

}  // namespace msn
