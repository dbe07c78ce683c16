// What one micro-batch leaves behind on its way through the model for the backward pass, and the scratch of
// both. Norms' outputs and SwiGLU's output are cheap and are computed again instead of kept.
#pragma once
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"

namespace msn {

struct LayerActivations {
  Tensor input;               // [tokens, hidden]
  Tensor input_inverse_rms;   // [tokens]
  Tensor qkv;                 // [tokens, qkv]; kept for each layer with query_key_norm, else shared scratch
  Tensor query;               // [tokens, heads, head_dim]
  Tensor keys;                // [kv_heads, tokens, head_dim]
  Tensor values;              // [kv_heads, tokens, head_dim]
  Tensor attention;           // [tokens, heads * head_dim]
  Tensor log_sum_exp;         // [heads, tokens]
  Tensor middle;              // [tokens, hidden]: input + attention block
  Tensor middle_inverse_rms;  // [tokens]
  Tensor gate_up;             // [tokens, 2 * intermediate]; becomes its own gradient
};

// f32 where nothing else is said.
struct TrainingActivations {
  int64_t tokens = 0;
  int64_t documents = 0;

  Tensor ids;               // i32 [tokens]
  Tensor noised;            // i32 [tokens]
  Tensor segment_offset;    // i32 [tokens]
  Tensor loss_mask;         // u8 [tokens]
  Tensor targets;           // i32 [tokens]: what each position predicts, -1: nothing
  Tensor positions;         // i32 [tokens], from 0 in each document
  Tensor document_offsets;  // i32 [documents + 1]
  Tensor samples;           // i32 [documents]
  Tensor first_row;         // i32 [1]: 0
  Tensor rotary;            // [tokens, head_dim]

  std::vector<LayerActivations> layers;
  Tensor final_input;        // [tokens, hidden]
  Tensor final_inverse_rms;  // [tokens]
  Tensor hidden;             // [tokens, hidden], after the final norm
  Tensor losses;             // [tokens]
  Tensor predictions;        // i32 [tokens]

  // Scratch.
  Tensor normed;              // [tokens, hidden]
  Tensor inner;               // [tokens, intermediate]
  Tensor gradient;            // [tokens, hidden]: of the residual stream
  Tensor normed_gradient;     // [tokens, hidden]
  Tensor inner_gradient;      // [tokens, intermediate]
  Tensor attention_gradient;  // [tokens, heads * head_dim]
  Tensor query_gradient;      // [tokens, heads, head_dim]
  Tensor keys_gradient;       // [kv_heads, tokens, head_dim]
  Tensor values_gradient;     // [kv_heads, tokens, head_dim]
  Tensor qkv_gradient;        // [tokens, qkv]
};

// The tensors of micro-batches of changing size in one allocation that grows to the largest seen.
class TrainingWorkspace {
 public:
  TrainingWorkspace(Backend& backend, const ModelShape& shape) : backend_(backend), shape_(shape) {}
  // The contents are undefined. The reference is valid until the next call. Throws ERR_OUT_OF_MEMORY.
  const TrainingActivations& arrange(int64_t tokens, int64_t documents);

 private:
  Backend& backend_;
  const ModelShape shape_;
  Buffer storage_;
  TrainingActivations activations_;
};

}  // namespace msn
