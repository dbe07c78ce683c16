// The CUDA engine behind the Backend interface: memory, streams, graphs, and every operation handed to its
// kernel in the CUDA module.
#pragma once
#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/cuda_device.h"
#include "backend/cuda/cuda_staging.h"
#include "backend/cuda/cuda_stream.h"
#include "ops/tree_attention.h"

namespace msn {

struct CudaBackendOptions {
  int threads = 1;                    // of the host, for loading weights
  bool chosen_automatically = false;  // by device 'auto': errors say so
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(CudaDevice& device, const CudaBackendOptions& options);
  ~CudaBackend() override;

  DeviceInfo info() const override;
  const BackendTraits& traits() const override { return traits_; }
  Dtype weight_dtype(const DtypeRequest& request) const override;

  Buffer allocate(int64_t bytes) override;
  void copy_from_host(void* device, const void* host, int64_t bytes) override;
  void copy_to_host(void* host, const void* device, int64_t bytes) override;
  void copy(void* destination, const void* source, int64_t bytes) override;
  void fill_zero(void* device, int64_t bytes) override;
  void synchronize() override;
  Buffer allocate_pinned(int64_t bytes) override;
  std::unique_ptr<Event> make_event() override;
  std::unique_ptr<Recording> capture(const std::function<void()>& enqueue) override;
  std::shared_ptr<IdleSlot> make_idle_slot() override { return device_.make_idle_slot(); }

  WeightMatrix pack_weight(std::span<const Tensor> sources, Dtype dtype) override;
  void unpack_weight(const WeightMatrix& weight, int64_t first_row, const Tensor& destination) override;

  void run(const EmbeddingForward&) override;
  void run(const RmsNormForward&) override;
  void run(const RotaryTable&) override;
  void run(const SplitHeadsForward&) override;
  void run(const TreeAttention&) override;
  void run(const LinearForward&) override;
  void run(const SwiGluForward&) override;
  void run(const TopK&) override;
  void run(const LogProbability&) override;
  void run(const KvCompact&) override;

  void run(const LongestMatch&) override;
  void run(const DraftNodes&) override;
  void run(const SampleTokens&) override;
  void run(const AcceptPath&) override;

  void run(const NoiseTokens&) override;
  void run(const MatrixProduct&) override;
  void run(const ColumnSum&) override;
  void run(const PackedAttentionForward&) override;
  void run(const PackedAttentionBackward&) override;
  void run(const LinearCrossEntropy&) override;
  void run(const EmbeddingBackward&) override;
  void run(const RmsNormBackward&) override;
  void run(const SplitHeadsBackward&) override;
  void run(const SwiGluBackward&) override;
  void run(const SquaredNorm&) override;
  void run(const AdamW&) override;

 private:
  const kernels::Module& module() const { return device_.functions(); }

  // Hands the arguments to a kernel's launcher; `operation` names it in errors.
  template <class Args>
  void enqueue(kernels::Launcher<Args> launcher, const Args& args, const char* operation) {
    device_.select();
    device_.check(launcher(args, launch()), operation);
  }

  // What launchers are given beside their arguments. The scratch memory is allocated at the first call, which
  // lies outside every capture.
  const kernels::Launch& launch();
  // Where the logits of a chunk of rows and their gradient lie; grows to the largest seen, outside captures.
  std::byte* reserve_loss_memory(int64_t bytes);
  // The library for large products; null where there is none.
  CublasLt* library();
  void multiply(const kernels::MatrixProduct& kernel, const char* operation);
  // Throws ERR_INTERNAL inside capture(): `action` would wait for the device or change what a graph holds.
  void refuse_capture(const char* action) const;

  CudaDevice& device_;
  const CudaBackendOptions options_;
  const BackendTraits traits_{.activations = Dtype::kBf16,
                              .prefill_chunk = 512,
                              .replays = true,
                              .gated_products = true,
                              .deepest_node = kDeepestNode};
  Buffer tickets_;
  Buffer scratch_;
  Buffer loss_memory_;
  std::shared_ptr<CudaStream> stream_;  // shared with recordings
  CudaStaging staging_;
  kernels::Launch launch_;
  Buffer library_workspace_;
  std::unique_ptr<CublasLt> library_;  // made at the first large product
  bool capturing_ = false;
};

}  // namespace msn
