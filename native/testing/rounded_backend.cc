#include "testing/rounded_backend.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/float_values.h"
#include "ops/gradient_norm.h"
#include "ops/matrix_product.h"
#include "ops/noise.h"
#include "ops/packed_attention.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"

namespace msn::testing {
namespace {

template <class Args>
using Members = std::initializer_list<Tensor Args::*>;

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kUnsupported, "only training is computed with rounded activations");
}

class RoundedBackend final : public Backend {
 public:
  explicit RoundedBackend(std::shared_ptr<Backend> exact) : exact_(std::move(exact)) {
    traits_ = exact_->traits();
    traits_.activations = Dtype::kBf16;
  }

  DeviceInfo info() const override { return exact_->info(); }
  const BackendTraits& traits() const override { return traits_; }
  Dtype weight_dtype(const DtypeRequest& request) const override { return exact_->weight_dtype(request); }
  Buffer allocate(int64_t bytes) override { return exact_->allocate(bytes); }
  void copy_from_host(void* device, const void* host, int64_t bytes) override {
    exact_->copy_from_host(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    exact_->copy_to_host(host, device, bytes);
  }
  void copy(void* destination, const void* source, int64_t bytes) override {
    exact_->copy(destination, source, bytes);
  }
  void fill_zero(void* device, int64_t bytes) override { exact_->fill_zero(device, bytes); }
  void synchronize() override { exact_->synchronize(); }
  Buffer allocate_pinned(int64_t bytes) override { return exact_->allocate_pinned(bytes); }
  std::unique_ptr<Event> make_event() override { return exact_->make_event(); }
  std::unique_ptr<Recording> capture(const std::function<void()>&) override { refuse(); }
  WeightMatrix pack_weight(std::span<const Tensor>, Dtype) override { refuse(); }
  void unpack_weight(const WeightMatrix&, int64_t, const Tensor&) override { refuse(); }
  void run(const TreeAttention&) override { refuse(); }
  void run(const LinearForward&) override { refuse(); }
  void run(const TopK&) override { refuse(); }
  void run(const LogProbability&) override { refuse(); }
  void run(const KvCompact&) override { refuse(); }
  void run(const LongestMatch&) override { refuse(); }
  void run(const DraftNodes&) override { refuse(); }
  void run(const SampleTokens&) override { refuse(); }
  void run(const AcceptPath&) override { refuse(); }

  void run(const RotaryTable& args) override { exact_->run(args); }
  void run(const NoiseTokens& args) override { exact_->run(args); }
  void run(const EmbeddingBackward& args) override { exact_->run(args); }
  void run(const SquaredNorm& args) override { exact_->run(args); }

  void run(const EmbeddingForward& args) override { widened(args, {&EmbeddingForward::table}, {}); }
  void run(const RmsNormForward& args) override {
    widened(args, {&RmsNormForward::addend}, {&RmsNormForward::output});
  }
  void run(const RmsNormBackward& args) override {
    widened(args, {&RmsNormBackward::output_gradient}, {&RmsNormBackward::rounded});
  }
  void run(const SplitHeadsForward& args) override {
    using Args = SplitHeadsForward;
    widened(args, {&Args::qkv}, {&Args::query, &Args::keys, &Args::values});
  }
  void run(const SplitHeadsBackward& args) override {
    using Args = SplitHeadsBackward;
    widened(args, {&Args::qkv, &Args::query_gradient, &Args::keys_gradient, &Args::values_gradient},
            {&Args::qkv_gradient});
  }
  void run(const SwiGluForward& args) override {
    widened(args, {&SwiGluForward::gate_up}, {&SwiGluForward::output});
  }
  void run(const SwiGluBackward& args) override {
    using Args = SwiGluBackward;
    widened(args, {&Args::gate_up, &Args::output_gradient}, {&Args::gate_up_gradient});
  }
  void run(const MatrixProduct& args) override {
    widened(args, {&MatrixProduct::a, &MatrixProduct::b}, {&MatrixProduct::c});
  }
  void run(const ColumnSum& args) override { widened(args, {&ColumnSum::input}, {}); }
  void run(const PackedAttentionForward& args) override {
    using Args = PackedAttentionForward;
    widened(args, {&Args::query, &Args::keys, &Args::values}, {&Args::output});
  }
  void run(const PackedAttentionBackward& args) override {
    using Args = PackedAttentionBackward;
    widened(args, {&Args::query, &Args::keys, &Args::values, &Args::output, &Args::output_gradient},
            {&Args::query_gradient, &Args::keys_gradient, &Args::values_gradient});
  }
  void run(const LinearCrossEntropy& args) override {
    using Args = LinearCrossEntropy;
    widened(args, {&Args::hidden, &Args::head}, {&Args::hidden_gradient});
  }
  void run(const AdamW& args) override { widened(args, {}, {&AdamW::rounded}); }

 private:
  // The operation on f32 copies of what is bf16. Outputs in bf16 are never added to.
  template <class Args>
  void widened(Args args, Members<Args> inputs, Members<Args> outputs) {
    check(args, traits_.activations);
    std::vector<std::vector<float>> copies;
    std::vector<std::pair<Tensor, Tensor>> rounding;  // from, to
    const auto widened_copy = [&](const Tensor& narrow) {
      Tensor wide = narrow;
      wide.data = copies.emplace_back(static_cast<size_t>(narrow.elements())).data();
      wide.dtype = Dtype::kF32;
      return wide;
    };
    for (const auto member : inputs) {
      const Tensor narrow = args.*member;
      if (narrow.dtype != Dtype::kBf16 || !narrow) continue;
      args.*member = widened_copy(narrow);
      read_as_f32(narrow, (args.*member).mutable_f32());
    }
    for (const auto member : outputs) {
      const Tensor narrow = args.*member;
      if (narrow.dtype != Dtype::kBf16 || !narrow) continue;
      args.*member = widened_copy(narrow);
      rounding.emplace_back(args.*member, narrow);
    }
    exact_->run(args);
    for (const auto& [wide, narrow] : rounding)
      std::transform(wide.f32(), wide.f32() + wide.elements(), static_cast<uint16_t*>(narrow.data),
                     bf16_bits);
  }

  std::shared_ptr<Backend> exact_;
  BackendTraits traits_;
};

}  // namespace

std::shared_ptr<Backend> round_activations(std::shared_ptr<Backend> exact) {
  return std::make_shared<RoundedBackend>(std::move(exact));
}

}  // namespace msn::testing
