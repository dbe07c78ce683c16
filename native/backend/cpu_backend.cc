#include "backend/cpu_backend.h"

#include <cstring>

#include "backend/host_checks.h"
#include "backend/host_memory.h"
#include "cpu/kernels.h"
#include "ops/accept_path.h"
#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/draft_nodes.h"
#include "ops/embedding.h"
#include "ops/gradient_norm.h"
#include "ops/kv_compact.h"
#include "ops/linear.h"
#include "ops/log_probability.h"
#include "ops/longest_match.h"
#include "ops/matrix_product.h"
#include "ops/noise.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/sample_tokens.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"
#include "ops/top_k.h"
#include "ops/tree_attention.h"

namespace msn {
namespace {

// The kernels of one instruction set as a type.
struct GenericKernels {
  static constexpr InstructionSet kSet = InstructionSet::kGeneric;
  static void run(cpu::Context& context, const auto& args) { cpu::generic::run(context, args); }
  static constexpr auto pack_weight = cpu::generic::pack_weight;
  static constexpr auto unpack_weight = cpu::generic::unpack_weight;
  static constexpr auto packed_bytes = cpu::generic::packed_bytes;
};
#ifdef MSN_X86
struct Avx2Kernels {
  static constexpr InstructionSet kSet = InstructionSet::kAvx2;
  static void run(cpu::Context& context, const auto& args) { cpu::avx2::run(context, args); }
  static constexpr auto pack_weight = cpu::avx2::pack_weight;
  static constexpr auto unpack_weight = cpu::avx2::unpack_weight;
  static constexpr auto packed_bytes = cpu::avx2::packed_bytes;
};
struct Avx512Kernels {
  static constexpr InstructionSet kSet = InstructionSet::kAvx512;
  static void run(cpu::Context& context, const auto& args) { cpu::avx512::run(context, args); }
  static constexpr auto pack_weight = cpu::avx512::pack_weight;
  static constexpr auto unpack_weight = cpu::avx512::unpack_weight;
  static constexpr auto packed_bytes = cpu::avx512::packed_bytes;
};
#endif

// On the CPU operations run when they are enqueued; a recording enqueues them anew.
class RepeatedCall final : public Recording {
 public:
  explicit RepeatedCall(std::function<void()> enqueue) : enqueue_(std::move(enqueue)) {}
  void replay() override { enqueue_(); }

 private:
  std::function<void()> enqueue_;
};

// Nothing is ever under way.
class PastEvent final : public Event {
 public:
  void record() override {}
  void wait() override {}
};

bool is_float(Dtype dtype) { return dtype != Dtype::kI32 && dtype != Dtype::kU8; }

template <class Kernels>
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : context_(threads) {}

  DeviceInfo info() const override {
    return {.kind = "cpu",
            .name = processor_name(),
            .instructions = instruction_set_name(Kernels::kSet),
            .threads = context_.pool.threads(),
            .memory_bytes = physical_memory_bytes()};
  }

  const BackendTraits& traits() const override { return traits_; }

  Dtype weight_dtype(const DtypeRequest& request) const override {
    if (request.dtype == Dtype::kF32 || request.dtype == Dtype::kBf16) return request.dtype;
    if (!request.required) return Dtype::kF32;
    throw Error(ErrorCode::kUnsupported,
                std::string("the CPU engine computes with F32 or BF16 weights, not with ") +
                    dtype_name(request.dtype) +
                    (request.dtype == Dtype::kI8 ? "; int8 weights are for device 'cuda'" : ""),
                "dtype");
  }

  Buffer allocate_pinned(int64_t bytes) override { return allocate_host_memory(bytes); }
  std::unique_ptr<Event> make_event() override { return std::make_unique<PastEvent>(); }
  std::unique_ptr<Recording> capture(const std::function<void()>& enqueue) override {
    ++captures_;
    return std::make_unique<RepeatedCall>(enqueue);
  }

  Buffer allocate(int64_t bytes) override { return allocate_host_memory(bytes); }
  void copy_from_host(void* device, const void* host, int64_t bytes) override { copy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, int64_t bytes) override { copy(host, device, bytes); }
  void copy(void* destination, const void* source, int64_t bytes) override {
    if (bytes > 0) std::memcpy(destination, source, static_cast<size_t>(bytes));
  }
  void fill_zero(void* device, int64_t bytes) override {
    if (bytes > 0) std::memset(device, 0, static_cast<size_t>(bytes));
  }
  void synchronize() override {}

  WeightMatrix pack_weight(std::span<const Tensor> sources, Dtype dtype) override {
    check(!sources.empty(), "expected at least one source", "pack_weight.sources");
    check(dtype == Dtype::kF32 || dtype == Dtype::kBf16, "expected F32 or BF16", "pack_weight.dtype");
    WeightMatrix weight;
    weight.dtype = dtype;
    weight.inputs = sources[0].shape[1];
    for (const Tensor& source : sources) {
      check(is_float(source.dtype), "expected floating-point numbers", "pack_weight.sources");
      check_tensor(source, source.dtype, {source.shape[0], weight.inputs}, "pack_weight.sources");
      weight.outputs += source.shape[0];
    }
    weight.storage = weights_.allocate(Kernels::packed_bytes(weight.outputs, weight.inputs, dtype));
    Kernels::pack_weight(context_, sources.data(), static_cast<int64_t>(sources.size()), weight);
    return weight;
  }

  void unpack_weight(const WeightMatrix& weight, int64_t first_row, const Tensor& destination) override {
    check(destination.dtype == Dtype::kF32 || destination.dtype == Dtype::kBf16, "expected F32 or BF16",
          "unpack_weight.destination");
    check_tensor(destination, destination.dtype, {destination.shape[0], weight.inputs},
                 "unpack_weight.destination");
    check(first_row >= 0 && first_row + destination.shape[0] <= weight.outputs, "expected rows of the weight",
          "unpack_weight.first_row");
    Kernels::unpack_weight(context_, weight, first_row, destination);
  }

  void run(const EmbeddingForward& args) override { checked_run(args); }
  void run(const RmsNormForward& args) override { checked_run(args); }
  void run(const RotaryTable& args) override { checked_run(args); }
  void run(const SplitHeadsForward& args) override { checked_run(args); }
  void run(const TreeAttention& args) override { checked_run(args); }
  void run(const LinearForward& args) override { checked_run(args); }
  void run(const SwiGluForward& args) override { checked_run(args); }
  void run(const TopK& args) override { checked_run(args); }
  void run(const LogProbability& args) override { checked_run(args); }
  void run(const KvCompact& args) override { checked_run(args); }

  void run(const LongestMatch& args) override { checked_run(args); }
  void run(const DraftNodes& args) override { checked_run(args); }
  void run(const SampleTokens& args) override { checked_run(args); }
  void run(const AcceptPath& args) override { checked_run(args); }

  void run(const NoiseTokens& args) override { checked_run(args); }
  void run(const MatrixProduct& args) override { checked_run(args); }
  void run(const ColumnSum& args) override { checked_run(args); }
  void run(const PackedAttentionForward& args) override { checked_run(args); }
  void run(const PackedAttentionBackward& args) override { checked_run(args); }
  void run(const LinearCrossEntropy& args) override { checked_run(args); }
  void run(const EmbeddingBackward& args) override { checked_run(args); }
  void run(const RmsNormBackward& args) override { checked_run(args); }
  void run(const SplitHeadsBackward& args) override { checked_run(args); }
  void run(const SwiGluBackward& args) override { checked_run(args); }
  void run(const SquaredNorm& args) override { checked_run(args); }
  void run(const AdamW& args) override { checked_run(args); }

 private:
  void checked_run(const auto& args) {
    check(args);
    check_indexes(args);
    Kernels::run(context_, args);
  }

  const BackendTraits traits_;
  cpu::Context context_;
  WeightArena weights_;
};

}  // namespace

std::shared_ptr<Backend> make_cpu_backend(int threads, InstructionSet instructions) {
#ifdef MSN_X86
  if (instructions == InstructionSet::kAvx512) return std::make_shared<CpuBackend<Avx512Kernels>>(threads);
  if (instructions == InstructionSet::kAvx2) return std::make_shared<CpuBackend<Avx2Kernels>>(threads);
#endif
  return std::make_shared<CpuBackend<GenericKernels>>(threads);
}

}  // namespace msn
