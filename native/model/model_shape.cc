// What a model of a given shape must have: sensible sizes, its rotary frequencies and the list of its
// tensors.
#include "model/model_shape.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include "base/error.h"

namespace msn {
namespace {

// Far beyond any model, and small enough that no product of two sizes overflows.
constexpr int64_t kLargestSize = int64_t{1} << 30;
constexpr int64_t kMostLayers = 1 << 16;

[[noreturn]] void refuse(const char* field, const std::string& expected, double received) {
  std::ostringstream message;
  message.precision(17);
  message << "expected " << expected << ", received " << received;
  throw Error(ErrorCode::kModelFormat, message.str(), field);
}

void check_size(const char* field, int64_t value, int64_t lowest = 1, int64_t highest = kLargestSize) {
  if (value < lowest || value > highest)
    refuse(field, "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest),
           static_cast<double>(value));
}

void check_positive(const char* field, double value) {
  if (!(value > 0) || !std::isfinite(value)) refuse(field, "a positive number", value);
}

void check_rope(const RopeShape& rope) {
  check_positive("rope_theta", rope.theta);
  if (rope.kind == RopeKind::kDefault) return;
  check_positive("rope_scaling.factor", rope.factor);
  if (rope.kind == RopeKind::kLinear) return;
  check_positive("rope_scaling.low_freq_factor", rope.low_freq_factor);
  check_positive("rope_scaling.high_freq_factor", rope.high_freq_factor);
  if (rope.high_freq_factor <= rope.low_freq_factor)
    refuse("rope_scaling.high_freq_factor", "a number above low_freq_factor", rope.high_freq_factor);
  check_positive("rope_scaling.original_max_position_embeddings", rope.original_length);
}

}  // namespace

// Fields go by their names in config.json, where the reader has to mend them.
void check_shape(const ModelShape& shape) {
  check_size("vocab_size", shape.vocabulary_size);
  check_size("hidden_size", shape.hidden_size);
  check_size("intermediate_size", shape.intermediate_size);
  check_size("num_hidden_layers", shape.layers, 1, kMostLayers);
  check_size("num_attention_heads", shape.heads, 1, kMostLayers);
  check_size("num_key_value_heads", shape.kv_heads, 1, shape.heads);
  if (shape.heads % shape.kv_heads != 0)
    refuse("num_key_value_heads", "a divisor of num_attention_heads = " + std::to_string(shape.heads),
           static_cast<double>(shape.kv_heads));
  check_size("head_dim", shape.head_dim, 2, kMostLayers);
  if (shape.head_dim % 2 != 0) refuse("head_dim", "an even number", static_cast<double>(shape.head_dim));
  check_size("max_position_embeddings", shape.context_length);
  check_size("sliding_window", shape.window, 0);
  check_positive("rms_norm_eps", shape.norm_epsilon);
  check_rope(shape.rope);
}

std::vector<double> inverse_frequencies(const ModelShape& shape) {
  const RopeShape& rope = shape.rope;
  const int64_t half = shape.head_dim / 2;
  std::vector<double> frequencies(half);
  for (int64_t i = 0; i < half; ++i) {
    const double frequency =
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_dim));
    switch (rope.kind) {
      case RopeKind::kDefault:
        frequencies[i] = frequency;
        break;
      case RopeKind::kLinear:
        frequencies[i] = frequency / rope.factor;
        break;
      case RopeKind::kLlama3: {
        // Frequencies that turn often within the original context are kept, slow ones divided by the factor.
        const double turns = rope.original_length * frequency / (2 * std::numbers::pi);
        const double keep = std::clamp(
            (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
        frequencies[i] = frequency * (keep + (1 - keep) / rope.factor);
        break;
      }
    }
  }
  return frequencies;
}

std::vector<TensorSpec> tensor_specs(const ModelShape& shape) {
  const int64_t hidden = shape.hidden_size;
  const int64_t query_size = shape.heads * shape.head_dim;
  const int64_t key_size = shape.kv_heads * shape.head_dim;
  std::vector<TensorSpec> specs;
  specs.push_back({"model.embed_tokens.weight", {shape.vocabulary_size, hidden}});
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const auto add = [&](const char* name, std::vector<int64_t> dimensions) {
      specs.push_back({prefix + name, std::move(dimensions)});
    };
    add("input_layernorm.weight", {hidden});
    add("self_attn.q_proj.weight", {query_size, hidden});
    add("self_attn.k_proj.weight", {key_size, hidden});
    add("self_attn.v_proj.weight", {key_size, hidden});
    if (shape.attention_bias) {
      add("self_attn.q_proj.bias", {query_size});
      add("self_attn.k_proj.bias", {key_size});
      add("self_attn.v_proj.bias", {key_size});
    }
    if (shape.query_key_norm) {
      add("self_attn.q_norm.weight", {shape.head_dim});
      add("self_attn.k_norm.weight", {shape.head_dim});
    }
    add("self_attn.o_proj.weight", {hidden, query_size});
    add("post_attention_layernorm.weight", {hidden});
    add("mlp.gate_proj.weight", {shape.intermediate_size, hidden});
    add("mlp.up_proj.weight", {shape.intermediate_size, hidden});
    add("mlp.down_proj.weight", {hidden, shape.intermediate_size});
  }
  specs.push_back({"model.norm.weight", {hidden}});
  if (!shape.tied_head) specs.push_back({"lm_head.weight", {shape.vocabulary_size, hidden}});
  return specs;
}

int64_t element_count(const TensorSpec& spec) {
  int64_t count = 1;
  for (int64_t size : spec.shape) count *= size;
  return count;
}

int64_t parameter_count(const ModelShape& shape) {
  int64_t count = 0;
  for (const TensorSpec& spec : tensor_specs(shape)) count += element_count(spec);
  return count;
}

}  // namespace msn
