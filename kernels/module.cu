// The module's table. A new operation is a line in module.h and one here.
#include "kernels/accept_path.h"
#include "kernels/adamw.h"
#include "kernels/cross_entropy.h"
#include "kernels/device.h"
#include "kernels/draft_nodes.h"
#include "kernels/embedding.h"
#include "kernels/gradient_norm.h"
#include "kernels/kv_compact.h"
#include "kernels/linear.h"
#include "kernels/log_probability.h"
#include "kernels/longest_match.h"
#include "kernels/matrix_product.h"
#include "kernels/module.h"
#include "kernels/noise_tokens.h"
#include "kernels/packed_attention.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/sample_tokens.h"
#include "kernels/split_heads.h"
#include "kernels/swiglu.h"
#include "kernels/top_k.h"
#include "kernels/tree_attention.h"

namespace msn::kernels {
namespace {

Module make_module() {
  Module table = {};
  table.version = kModuleVersion;
#ifdef __CUDACC__
  table.is_shim = false;
#else
  table.is_shim = true;
#endif
  table.architectures = MSN_CUDA_ARCHITECTURES;
  table.device = device_functions();

  table.embedding_forward = embedding_forward;
  table.kv_compact = kv_compact;
  table.linear = linear;
  table.log_probability = log_probability;
  table.rms_norm_forward = rms_norm_forward;
  table.rotary_table = rotary_table;
  table.split_heads_forward = split_heads_forward;
  table.swiglu_forward = swiglu_forward;
  table.top_k = top_k;
  table.tree_attention = tree_attention;

  table.accept_path = accept_path;
  table.draft_nodes = draft_nodes;
  table.longest_match = longest_match;
  table.sample_tokens = sample_tokens;

  table.adamw = adamw;
  table.column_sum = column_sum;
  table.cross_entropy = cross_entropy;
  table.embedding_backward = embedding_backward;
  table.matrix_product = matrix_product;
  table.noise_tokens = noise_tokens;
  table.packed_attention_backward = packed_attention_backward;
  table.packed_attention_forward = packed_attention_forward;
  table.rms_norm_backward = rms_norm_backward;
  table.split_heads_backward = split_heads_backward;
  table.squared_norm = squared_norm;
  table.swiglu_backward = swiglu_backward;
  return table;
}

}  // namespace
}  // namespace msn::kernels

extern "C" __attribute__((visibility("default"))) const msn::kernels::Module* msn_cuda_module() {
  static const msn::kernels::Module table = msn::kernels::make_module();
  return &table;
}
