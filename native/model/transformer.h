// The transformer's forward pass over the nodes of a token tree, a chain or a single token: one code path.
#pragma once
#include <memory>
#include <span>

#include "backend/backend.h"
#include "model/kv_cache.h"
#include "model/model.h"

namespace msn {

// The nodes of one forward pass, behind cache.length() cached tokens.
struct NodeBatch {
  std::span<const int32_t> tokens;   // [nodes]
  std::span<const int32_t> parents;  // [nodes]: index of an earlier node; -1 follows the cache directly
  bool fixed_order = true;           // LinearForward::fixed_order
};

// The same, on the device.
struct DeviceNodes {
  Tensor tokens;       // i32 [nodes]
  Tensor parents;      // i32 [nodes]
  Tensor positions;    // i32 [nodes]: cache.length() + depth
  bool chain = false;  // TreeAttention::chain
  bool fixed_order = true;
};

// Every node follows the node before it.
bool is_chain(std::span<const int32_t> parents);

class Transformer {
 public:
  // Plans the workspace for up to max_nodes nodes in one pass, logits for up to max_logit_rows of them.
  Transformer(const Model& model, int64_t max_nodes, int64_t max_logit_rows);
  ~Transformer();

  // Copies nodes to the device, until the next call, and makes room for them in the cache. Throws
  // ERR_INVALID_ARGUMENT for a tree that is too deep for the backend.
  DeviceNodes load(const NodeBatch& nodes, KvCache& cache);
  // Writes rows length + i of the cache, behind cache.device_length() tokens; the caller keeps or drops them.
  // Computes no logits. Enqueues only, so that it can be captured.
  void enqueue(const DeviceNodes& nodes, const KvCache& cache);
  void forward(const NodeBatch& nodes, KvCache& cache) { enqueue(load(nodes, cache), cache); }
  // Logits of nodes [first, first + rows) of the last pass: f32 [rows, vocabulary], until the next call.
  const Tensor& logits(int64_t first, int64_t rows);
  // Logits of single nodes of the last pass, f32 [nodes, vocabulary] in the order given. They lie in rows
  // slot, slot + 1, ... of max_logit_rows and stay there until another call or logits() overwrites them.
  Tensor logits_of(std::span<const int32_t> nodes, int64_t slot);
  // Final-norm hidden states of the last pass, activations [nodes, hidden].
  Tensor hidden();

  int64_t max_nodes() const;
  int64_t max_logit_rows() const;

 private:
  struct Plan;
  void attend(const LayerWeights& layer, const Tensor& keys, const Tensor& values,
              const Tensor& prefix_length, const DeviceNodes& nodes);
  void feed_forward(const LayerWeights& layer, bool fixed_order);
  // RMSNorm of rows of the residual stream into the same rows of Plan::normed: activations [rows, hidden].
  Tensor normalize(const Buffer& weight, int64_t first, int64_t rows);
  void normalize(const Buffer& weight, const Tensor& input, const Tensor& output);
  void multiply_with_head(const Tensor& normed, const Tensor& logits);

  const Model& model_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace msn
