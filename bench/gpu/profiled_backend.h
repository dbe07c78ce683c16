// A backend that passes every operation on to another one and takes their times, or passes on one kind alone.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "ops/linear.h"

namespace msn::gpu {

// What all operations of one kind did. A product's kind is its shape.
struct OperationSum {
  int64_t count = 0;
  double milliseconds = 0;  // with what the host needs to enqueue one and wait for it
  double bytes = 0;         // that it has to move, for products of a step their weights; 0: not counted
  double operations = 0;    // of products; 0: not counted
};

class ProfiledBackend final : public Backend {
 public:
  explicit ProfiledBackend(std::shared_ptr<Backend> inner) : inner_(std::move(inner)) {}

  // From now on every operation is waited for and its time is added to its kind.
  void begin_times() {
    sums_.clear();
    times_ = true;
  }
  std::map<std::string, OperationSum> end_times() {
    times_ = false;
    return std::move(sums_);
  }
  // From now on operations of other kinds are left out; "": none is.
  void only(const std::string& kind) { only_ = kind; }

  DeviceInfo info() const override { return inner_->info(); }
  const BackendTraits& traits() const override { return inner_->traits(); }
  Dtype weight_dtype(const DtypeRequest& request) const override { return inner_->weight_dtype(request); }
  Buffer allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void copy_from_host(void* device, const void* host, int64_t bytes) override {
    inner_->copy_from_host(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    inner_->copy_to_host(host, device, bytes);
  }
  void copy(void* destination, const void* source, int64_t bytes) override {
    inner_->copy(destination, source, bytes);
  }
  void fill_zero(void* device, int64_t bytes) override { inner_->fill_zero(device, bytes); }
  void synchronize() override { inner_->synchronize(); }
  Buffer allocate_pinned(int64_t bytes) override { return inner_->allocate_pinned(bytes); }
  std::unique_ptr<Event> make_event() override { return inner_->make_event(); }
  std::unique_ptr<Recording> capture(const std::function<void()>& enqueue) override {
    return inner_->capture(enqueue);
  }
  WeightMatrix pack_weight(std::span<const Tensor> sources, Dtype dtype) override {
    return inner_->pack_weight(sources, dtype);
  }
  void unpack_weight(const WeightMatrix& weight, int64_t first_row, const Tensor& destination) override {
    inner_->unpack_weight(weight, first_row, destination);
  }

  void run(const EmbeddingForward& args) override { pass("embedding", args); }
  void run(const RmsNormForward& args) override { pass("rms_norm", args); }
  void run(const RotaryTable& args) override { pass("rotary", args); }
  void run(const SplitHeadsForward& args) override { pass("split_heads", args); }
  void run(const TreeAttention& args) override { pass("tree_attention", args); }
  void run(const LinearForward& args) override;
  void run(const SwiGluForward& args) override { pass("swiglu", args); }
  void run(const TopK& args) override { pass("top_k", args); }
  void run(const LogProbability& args) override { pass("log_probability", args); }
  void run(const KvCompact& args) override { pass("kv_compact", args); }
  void run(const LongestMatch& args) override { pass("longest_match", args); }
  void run(const DraftNodes& args) override { pass("draft_nodes", args); }
  void run(const SampleTokens& args) override { pass("sample_tokens", args); }
  void run(const AcceptPath& args) override { pass("accept_path", args); }
  void run(const NoiseTokens& args) override { pass("noise_tokens", args); }
  void run(const MatrixProduct& args) override;
  void run(const ColumnSum& args) override { pass("column_sum", args); }
  void run(const PackedAttentionForward& args) override { pass("packed_attention", args); }
  void run(const PackedAttentionBackward& args) override { pass("packed_attention_backward", args); }
  void run(const LinearCrossEntropy& args) override;
  void run(const EmbeddingBackward& args) override { pass("embedding_backward", args); }
  void run(const RmsNormBackward& args) override { pass("rms_norm_backward", args); }
  void run(const SplitHeadsBackward& args) override { pass("split_heads_backward", args); }
  void run(const SwiGluBackward& args) override { pass("swiglu_backward", args); }
  void run(const SquaredNorm& args) override { pass("squared_norm", args); }
  void run(const AdamW& args) override;

 private:
  template <class Args>
  void pass(const std::string& kind, const Args& args, double bytes = 0, double operations = 0);

  const std::shared_ptr<Backend> inner_;
  std::string only_;
  bool times_ = false;
  std::map<std::string, OperationSum> sums_;
};

}  // namespace msn::gpu
