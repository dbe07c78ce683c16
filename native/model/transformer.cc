// Embedding, layers, final norm and head, one operation after another over memory planned once.
#include "model/transformer.h"

#include <string>
#include <vector>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"
#include "ops/tree_attention.h"

namespace msn {
namespace {

Tensor rows_of(const Tensor& tensor, int64_t first, int64_t rows) {
  Tensor view = tensor;
  view.shape[0] = 1;
  view.data = static_cast<std::byte*>(tensor.data) + first * view.bytes();
  view.shape[0] = rows;
  return view;
}

Tensor vector_of(const Buffer& buffer) {
  if (buffer.bytes() == 0) return {};
  return Tensor(buffer.data(), Dtype::kF32, {buffer.bytes() / dtype_size(Dtype::kF32)});
}

}  // namespace

bool is_chain(std::span<const int32_t> parents) {
  for (size_t node = 0; node < parents.size(); ++node)
    if (parents[node] != static_cast<int32_t>(node) - 1) return false;
  return true;
}

struct Transformer::Plan {
  explicit Plan(Backend& engine) : backend(engine), workspace(engine) {}
  // The rows of a planned tensor that the pass at hand uses.
  Tensor in_pass(const Tensor& planned) const { return rows_of(planned, 0, nodes); }
  void place(const NodeBatch& batch, bool chain, int32_t cached);

  Backend& backend;
  int64_t max_nodes = 0;
  int64_t max_logit_rows = 0;
  int64_t nodes = 0;  // of the pass at hand

  Workspace workspace;
  Buffer frequencies_storage;
  Tensor inverse_frequencies;         // f64 [head_dim / 2]
  Tensor tokens, parents, positions;  // i32 [max_nodes]
  Tensor rotary;                      // f32 [max_nodes, head_dim]
  Tensor residual;                    // f32 [max_nodes, hidden]: the stream that every block adds to
  // Activations:
  Tensor normed;     // [max_nodes, hidden]: input of the block at hand
  Tensor qkv;        // [max_nodes, (heads + 2 kv_heads) * head_dim]
  Tensor query;      // [max_nodes, heads, head_dim]
  Tensor attention;  // [max_nodes, heads * head_dim]
  Tensor gate_up;    // [max_nodes, 2 * intermediate]
  Tensor inner;      // [max_nodes, intermediate]
  Tensor logits;     // f32 [max_logit_rows, vocabulary]
  Tensor logits_in_use;
  std::vector<int32_t> host_positions;
};

void Transformer::Plan::place(const NodeBatch& batch, bool chain, int32_t cached) {
  const int32_t deepest = backend.traits().deepest_node;
  for (size_t node = 0; node < batch.parents.size(); ++node) {
    const int32_t parent = batch.parents[node];
    host_positions[node] = parent < 0 ? cached : host_positions[parent] + 1;
    if (!chain && host_positions[node] - cached > deepest)
      throw Error(ErrorCode::kInvalidArgument,
                  "expected a chain, or a tree of nodes at most " + std::to_string(deepest) +
                      " below the first, received one " + std::to_string(host_positions[node] - cached) +
                      " below it",
                  "parents");
  }
}

Transformer::Transformer(const Model& model, int64_t max_nodes, int64_t max_logit_rows)
    : model_(model), plan_(std::make_unique<Plan>(model.backend())) {
  const ModelShape& shape = model.shape();
  Plan& plan = *plan_;
  plan.max_nodes = max_nodes;
  plan.max_logit_rows = max_logit_rows;
  plan.host_positions.resize(max_nodes);
  const Dtype activations = model.backend().traits().activations;
  for (Tensor* integers : {&plan.tokens, &plan.parents, &plan.positions})
    plan.workspace.plan(integers, Dtype::kI32, {max_nodes});
  plan.workspace.plan(&plan.rotary, Dtype::kF32, {max_nodes, shape.head_dim});
  plan.workspace.plan(&plan.residual, Dtype::kF32, {max_nodes, shape.hidden_size});
  plan.workspace.plan(&plan.normed, activations, {max_nodes, shape.hidden_size});
  plan.workspace.plan(&plan.qkv, activations, {max_nodes, shape.qkv_size()});
  plan.workspace.plan(&plan.query, activations, {max_nodes, shape.heads, shape.head_dim});
  plan.workspace.plan(&plan.attention, activations, {max_nodes, shape.heads * shape.head_dim});
  plan.workspace.plan(&plan.gate_up, activations, {max_nodes, 2 * shape.intermediate_size});
  plan.workspace.plan(&plan.inner, activations, {max_nodes, shape.intermediate_size});
  if (max_logit_rows > 0)
    plan.workspace.plan(&plan.logits, Dtype::kF32, {max_logit_rows, shape.vocabulary_size});
  plan.workspace.commit();

  const std::vector<double> frequencies = inverse_frequencies(shape);
  const int64_t bytes = static_cast<int64_t>(frequencies.size() * sizeof(double));
  plan.frequencies_storage = model.backend().allocate(bytes);
  model.backend().copy_from_host(plan.frequencies_storage.data(), frequencies.data(), bytes);
  plan.inverse_frequencies =
      Tensor(plan.frequencies_storage.data(), Dtype::kF64, {static_cast<int64_t>(frequencies.size())});
}

Transformer::~Transformer() = default;

int64_t Transformer::max_nodes() const { return plan_->max_nodes; }
int64_t Transformer::max_logit_rows() const { return plan_->max_logit_rows; }

DeviceNodes Transformer::load(const NodeBatch& batch, KvCache& cache) {
  Plan& plan = *plan_;
  const int64_t nodes = static_cast<int64_t>(batch.tokens.size());
  if (nodes < 1 || nodes > plan.max_nodes || batch.parents.size() != batch.tokens.size())
    throw Error(
        ErrorCode::kInternal,
        "expected 1 to " + std::to_string(plan.max_nodes) + " nodes, received " + std::to_string(nodes),
        "Transformer::load");
  const bool chain = is_chain(batch.parents);
  plan.place(batch, chain, static_cast<int32_t>(cache.length()));
  cache.reserve(cache.length() + nodes);
  const int64_t bytes = nodes * dtype_size(Dtype::kI32);
  plan.backend.copy_from_host(plan.tokens.data, batch.tokens.data(), bytes);
  plan.backend.copy_from_host(plan.parents.data, batch.parents.data(), bytes);
  plan.backend.copy_from_host(plan.positions.data, plan.host_positions.data(), bytes);
  return {.tokens = rows_of(plan.tokens, 0, nodes),
          .parents = rows_of(plan.parents, 0, nodes),
          .positions = rows_of(plan.positions, 0, nodes),
          .chain = chain,
          .fixed_order = batch.fixed_order};
}

void Transformer::enqueue(const DeviceNodes& nodes, const KvCache& cache) {
  Plan& plan = *plan_;
  plan.nodes = nodes.tokens.shape[0];
  Backend& backend = model_.backend();
  backend.run(RotaryTable{.positions = nodes.positions,
                          .inverse_frequencies = plan.inverse_frequencies,
                          .table = plan.in_pass(plan.rotary)});
  backend.run(EmbeddingForward{.tokens = nodes.tokens,
                               .packed_table = &model_.embedding(),
                               .table = {},
                               .output = plan.in_pass(plan.residual)});
  for (int64_t index = 0; index < model_.shape().layers; ++index) {
    attend(model_.layer(index), cache.keys(index), cache.values(index), cache.device_length(), nodes);
    feed_forward(model_.layer(index), nodes.fixed_order);
  }
}

void Transformer::attend(const LayerWeights& layer, const Tensor& keys, const Tensor& values,
                         const Tensor& prefix_length, const DeviceNodes& nodes) {
  Plan& plan = *plan_;
  Backend& backend = model_.backend();
  const ModelShape& shape = model_.shape();
  normalize(layer.input_norm, 0, plan.nodes);
  backend.run(LinearForward{.input = plan.in_pass(plan.normed),
                            .weight = &layer.qkv,
                            .bias = vector_of(layer.qkv_bias),
                            .output = plan.in_pass(plan.qkv),
                            .fixed_order = nodes.fixed_order});
  backend.run(SplitHeadsForward{.qkv = plan.in_pass(plan.qkv),
                                .query_norm = vector_of(layer.query_norm),
                                .key_norm = vector_of(layer.key_norm),
                                .epsilon = shape.norm_epsilon,
                                .rotary = plan.in_pass(plan.rotary),
                                .first_row = prefix_length,
                                .query = plan.in_pass(plan.query),
                                .keys = keys,
                                .values = values});
  backend.run(TreeAttention{.query = plan.in_pass(plan.query),
                            .keys = keys,
                            .values = values,
                            .prefix_length = prefix_length,
                            .parents = nodes.parents,
                            .chain = nodes.chain,
                            .window = shape.window,
                            .output = plan.in_pass(plan.attention)});
  backend.run(LinearForward{.input = plan.in_pass(plan.attention),
                            .weight = &layer.output,
                            .bias = {},
                            .output = plan.in_pass(plan.residual),
                            .accumulate = true,
                            .fixed_order = nodes.fixed_order});
}

void Transformer::feed_forward(const LayerWeights& layer, bool fixed_order) {
  Plan& plan = *plan_;
  Backend& backend = model_.backend();
  normalize(layer.attention_norm, 0, plan.nodes);
  const bool gated = fixed_order && backend.traits().gated_products;
  backend.run(LinearForward{.input = plan.in_pass(plan.normed),
                            .weight = &layer.gate_up,
                            .bias = {},
                            .output = plan.in_pass(gated ? plan.inner : plan.gate_up),
                            .gated = gated,
                            .fixed_order = fixed_order});
  if (!gated)
    backend.run(SwiGluForward{.gate_up = plan.in_pass(plan.gate_up), .output = plan.in_pass(plan.inner)});
  backend.run(LinearForward{.input = plan.in_pass(plan.inner),
                            .weight = &layer.down,
                            .bias = {},
                            .output = plan.in_pass(plan.residual),
                            .accumulate = true,
                            .fixed_order = fixed_order});
}

Tensor Transformer::normalize(const Buffer& weight, int64_t first, int64_t rows) {
  const Tensor output = rows_of(plan_->normed, first, rows);
  normalize(weight, rows_of(plan_->residual, first, rows), output);
  return output;
}

void Transformer::normalize(const Buffer& weight, const Tensor& input, const Tensor& output) {
  model_.backend().run(RmsNormForward{.input = input,
                                      .weight = vector_of(weight),
                                      .epsilon = model_.shape().norm_epsilon,
                                      .output = output,
                                      .inverse_rms = {}});
}

void Transformer::multiply_with_head(const Tensor& normed, const Tensor& logits) {
  model_.backend().run(
      LinearForward{.input = normed, .weight = &model_.head(), .bias = {}, .output = logits});
}

const Tensor& Transformer::logits(int64_t first, int64_t rows) {
  Plan& plan = *plan_;
  if (first < 0 || rows < 1 || first + rows > plan.nodes || rows > plan.max_logit_rows)
    throw Error(ErrorCode::kInternal, "rows outside the last pass", "Transformer::logits");
  plan.logits_in_use = rows_of(plan.logits, 0, rows);
  multiply_with_head(normalize(model_.final_norm(), first, rows), plan.logits_in_use);
  return plan.logits_in_use;
}

Tensor Transformer::logits_of(std::span<const int32_t> nodes, int64_t slot) {
  Plan& plan = *plan_;
  const int64_t rows = static_cast<int64_t>(nodes.size());
  if (rows < 1 || slot < 0 || slot + rows > plan.max_logit_rows || rows > plan.max_nodes)
    throw Error(ErrorCode::kInternal, "rows outside the memory of the logits", "Transformer::logits_of");
  for (int64_t row = 0; row < rows; ++row) {
    if (nodes[row] < 0 || nodes[row] >= plan.nodes)
      throw Error(ErrorCode::kInternal, "a node outside the last pass", "Transformer::logits_of");
    normalize(model_.final_norm(), rows_of(plan.residual, nodes[row], 1), rows_of(plan.normed, row, 1));
  }
  const Tensor logits = rows_of(plan.logits, slot, rows);
  multiply_with_head(rows_of(plan.normed, 0, rows), logits);
  return logits;
}

Tensor Transformer::hidden() { return normalize(model_.final_norm(), 0, plan_->nodes); }

}  // namespace msn
