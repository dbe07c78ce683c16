// The device interface: memory and one virtual function per operation. It knows tensors, never models.
// `run`-time rule for every operation: no allocation, no synchronisation, no branch on device data, so that
// a decode step can be captured once and replayed on a backend that supports it.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/idle_slot.h"
#include "ops/operations.h"
#include "ops/tensor.h"

namespace msn {

struct DeviceInfo {
  std::string kind = {};                // "cpu", "cuda:0"
  std::string name = {};                // what a person would call it, the processor's name
  std::string instructions = {};        // CPU: "avx512", "avx2", "generic"
  std::string compute_capability = {};  // CUDA: "9.0"
  bool shim = false;                    // CUDA: kernels run on the host shim, for tests
  std::string library = {};  // CUDA: the library for large products and its version, or why there is none
  int threads = 0;           // of the host: they compute on the CPU engine and load weights on CUDA
  int64_t memory_bytes = 0;
  int64_t free_bytes = 0;  // CUDA, at the time of asking
};

// What the rungs above plan by.
struct BackendTraits {
  Dtype activations = Dtype::kF32;  // what enters and leaves products and attention: kF32 or kBf16
  int64_t prefill_chunk = 256;      // tokens of one pass over a prompt
  bool replays = false;             // a recording costs less than enqueueing anew
  bool gated_products = false;      // LinearForward::gated: one operation less a layer
  // How far below the first node of a pass another may lie where the nodes are no chain.
  int32_t deepest_node = std::numeric_limits<int32_t>::max();
};

// What weights are to be computed in: `dtype` and nothing else, or (not required) what is natural to the
// engine for weights that are stored as `dtype`.
struct DtypeRequest {
  DtypeRequest(Dtype wanted, bool is_required = true) : dtype(wanted), required(is_required) {}
  Dtype dtype;
  bool required;
};

// A sequence of operations that can be run again, with the same arguments: what changes between two runs lies
// in device memory. Must not be replayed when memory that its operations use is gone, nor be destroyed while
// it runs.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

// A place in the sequence of what has been enqueued, for a host that goes on enqueueing behind it.
class Event {
 public:
  virtual ~Event() = default;
  virtual void record() = 0;  // the place is behind everything enqueued so far
  // Returns when all in front of the place is done, and what it wrote into pinned memory is there to read.
  virtual void wait() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceInfo info() const = 0;
  virtual const BackendTraits& traits() const = 0;
  // The dtype for pack_weight. Throws ERR_UNSUPPORTED, with the reason, for one that is not computed here.
  virtual Dtype weight_dtype(const DtypeRequest& request) const = 0;

  // Memory. Aligned to 64 bytes and zeroed; throws ERR_OUT_OF_MEMORY.
  virtual Buffer allocate(int64_t bytes) = 0;
  virtual void copy_from_host(void* device, const void* host, int64_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, int64_t bytes) = 0;
  virtual void copy(void* destination, const void* source, int64_t bytes) = 0;
  virtual void fill_zero(void* device, int64_t bytes) = 0;
  virtual void synchronize() = 0;
  // Host memory that operations read and write, too; the host sees what they wrote after synchronize() or an
  // event. Zeroed.
  virtual Buffer allocate_pinned(int64_t bytes) = 0;
  virtual std::unique_ptr<Event> make_event() = 0;

  // Records what `enqueue` enqueues, operations and copies between device memory only, without running it.
  // Throws what `enqueue` throws.
  virtual std::unique_ptr<Recording> capture(const std::function<void()>& enqueue) = 0;
  int64_t captures() const { return captures_; }  // so far

  // For an object with memory of this backend.
  virtual std::shared_ptr<IdleSlot> make_idle_slot() { return std::make_shared<IdleSlot>(); }

  // Weights: `sources` are matrices [outputs_i, inputs] in host memory (any float dtype, any alignment),
  // stacked one below another, in a dtype that weight_dtype() gave. bf16 is rounded to nearest even; int8 has
  // one scale a row, its largest magnitude / 127.
  virtual WeightMatrix pack_weight(std::span<const Tensor> sources, Dtype dtype) = 0;
  // Rows [first_row, first_row + destination.shape[0]) back into host memory, plain row-major, f32 or bf16.
  virtual void unpack_weight(const WeightMatrix& weight, int64_t first_row, const Tensor& destination) = 0;

  // Inference.
  virtual void run(const EmbeddingForward&) = 0;
  virtual void run(const RmsNormForward&) = 0;
  virtual void run(const RotaryTable&) = 0;
  virtual void run(const SplitHeadsForward&) = 0;
  virtual void run(const TreeAttention&) = 0;
  virtual void run(const LinearForward&) = 0;
  virtual void run(const SwiGluForward&) = 0;
  virtual void run(const TopK&) = 0;
  virtual void run(const LogProbability&) = 0;
  virtual void run(const KvCompact&) = 0;

  // Decode steps.
  virtual void run(const LongestMatch&) = 0;
  virtual void run(const DraftNodes&) = 0;
  virtual void run(const SampleTokens&) = 0;
  virtual void run(const AcceptPath&) = 0;

  // Training.
  virtual void run(const NoiseTokens&) = 0;
  virtual void run(const MatrixProduct&) = 0;
  virtual void run(const ColumnSum&) = 0;
  virtual void run(const PackedAttentionForward&) = 0;
  virtual void run(const PackedAttentionBackward&) = 0;
  virtual void run(const LinearCrossEntropy&) = 0;
  virtual void run(const EmbeddingBackward&) = 0;
  virtual void run(const RmsNormBackward&) = 0;
  virtual void run(const SplitHeadsBackward&) = 0;
  virtual void run(const SwiGluBackward&) = 0;
  virtual void run(const SquaredNorm&) = 0;
  virtual void run(const AdamW&) = 0;

 protected:
  int64_t captures_ = 0;
};

struct BackendOptions {
  std::string device = "auto";    // "auto" | "cpu" | "cuda" | "cuda:N"
  int threads = 0;                // CPU threads; 0: one per physical core this process may use
  std::string instructions = "";  // CPU instruction set to use at most, for tests; empty: the best there is
};

// A device that this machine has, or a kind of device that it lacks.
struct DeviceListing {
  DeviceInfo info = {};
  bool available = false;
  std::string reason = {};  // why it cannot be had; for the CPU and where there is nothing to say, empty
};

// The CPU, then every CUDA device, or one entry "cuda" that says why there is none.
std::vector<DeviceListing> list_devices();

// The registry. "cuda" never falls back: ERR_DEVICE says why it cannot be had. `reason` (may be null)
// receives one sentence on what "auto" chose and why.
std::shared_ptr<Backend> make_backend(const BackendOptions& options, std::string* reason);

// Float tensors of a backend, cut from one allocation made at planning time.
class Workspace {
 public:
  explicit Workspace(Backend& backend) : backend_(backend) {}
  // Adds a tensor to the plan; its memory exists after commit().
  void plan(Tensor* tensor, Dtype dtype, std::initializer_list<int64_t> shape);
  void commit();
  int64_t bytes() const { return buffer_.bytes(); }

 private:
  struct Planned {
    Tensor* tensor;
    int64_t offset;
  };
  Backend& backend_;
  std::vector<Planned> planned_;
  int64_t planned_bytes_ = 0;
  Buffer buffer_;
};

}  // namespace msn
