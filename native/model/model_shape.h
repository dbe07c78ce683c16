// The shape of a Llama-family model: everything the forward pass depends on besides the weights.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace msn {

enum class RopeKind { kDefault, kLinear, kLlama3 };

struct RopeShape {
  RopeKind kind = RopeKind::kDefault;
  double theta = 10000.0;
  double factor = 1.0;            // linear, llama3
  double low_freq_factor = 1.0;   // llama3
  double high_freq_factor = 4.0;  // llama3
  double original_length = 0;     // llama3: original_max_position_embeddings
};

struct ModelShape {
  int64_t vocabulary_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;  // even
  int64_t context_length = 0;
  int64_t window = 0;  // sliding window in positions; 0: none
  float norm_epsilon = 1e-5f;
  bool tied_head = false;       // lm_head is the embedding
  bool attention_bias = false;  // on q, k, v (Qwen2)
  bool query_key_norm = false;  // Qwen3
  RopeShape rope;

  int64_t qkv_size() const { return (heads + 2 * kv_heads) * head_dim; }
};

// Throws ERR_MODEL_FORMAT naming the field that makes no sense.
void check_shape(const ModelShape& shape);
// f_i of the rotary embedding for i < head_dim / 2, scaling applied (shared formulas: docs/method.md).
std::vector<double> inverse_frequencies(const ModelShape& shape);

// One tensor that a model of this shape has, under its Hugging Face name
// ("model.layers.0.mlp.up_proj.weight").
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};
int64_t element_count(const TensorSpec& spec);
// All of them, in the order in which they are written to a file: embedding, layers, final norm, head (unless
// tied).
std::vector<TensorSpec> tensor_specs(const ModelShape& shape);
int64_t parameter_count(const ModelShape& shape);

}  // namespace msn
