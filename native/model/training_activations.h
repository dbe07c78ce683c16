// What one micro-batch leaves behind on its way through the model for the backward pass, and the scratch of
// both. Norms' outputs and SwiGLU's output are cheap and are computed again instead of kept. What enters or
// leaves products and attention is of the backend's activation dtype; the residual stream and its gradient,
// losses and statistics are f32.
#pragma once
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"

namespace msn {

struct LayerActivations {
  Tensor input;               // f32 [tokens, hidden]: the residual stream in front of the layer
  Tensor input_inverse_rms;   // f32 [tokens]
  Tensor qkv;                 // [tokens, qkv]; kept for each layer with query_key_norm, else shared scratch
  Tensor query;               // [tokens, heads, head_dim]
  Tensor keys;                // [kv_heads, tokens, head_dim]
  Tensor values;              // [kv_heads, tokens, head_dim]
  Tensor attention;           // [tokens, heads * head_dim]
  Tensor log_sum_exp;         // f32 [heads, tokens]
  Tensor middle;              // f32 [tokens, hidden]: the stream behind the attention block
  Tensor middle_inverse_rms;  // f32 [tokens]
  Tensor gate_up;             // [tokens, 2 * intermediate]; becomes its own gradient
};

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
  Tensor rotary;            // f32 [tokens, head_dim]

  std::vector<LayerActivations> layers;  // with recomputation they share all but the input
  Tensor final_input;                    // f32 [tokens, hidden]
  Tensor final_inverse_rms;              // f32 [tokens]
  Tensor hidden;                         // [tokens, hidden], after the final norm
  Tensor losses;                         // f32 [tokens]
  Tensor predictions;                    // i32 [tokens]

  // Scratch.
  Tensor normed;              // [tokens, hidden]
  Tensor inner;               // [tokens, intermediate]
  Tensor branch;              // [tokens, hidden]: what a block adds to the stream
  Tensor gradient;            // f32 [tokens, hidden]: of the residual stream
  Tensor rounded_gradient;    // [tokens, hidden]: the same for products; in f32 the same tensor
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
  // With `recompute` every layer keeps its input alone; the rest is one layer's memory that all share, for
  // the backward pass to fill again.
  TrainingWorkspace(Backend& backend, const ModelShape& shape, bool recompute)
      : backend_(backend), shape_(shape), recompute_(recompute) {}
  // The contents are undefined. The reference is valid until the next call. Throws ERR_OUT_OF_MEMORY.
  const TrainingActivations& arrange(int64_t tokens, int64_t documents);
  int64_t bytes() const { return storage_.bytes(); }

 private:
  Backend& backend_;
  const ModelShape shape_;
  const bool recompute_;
  Buffer storage_;
  TrainingActivations activations_;
};

}  // namespace msn
