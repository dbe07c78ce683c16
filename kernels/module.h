// The border between the addon and the CUDA module: one table of functions. Plain types and no exception
// cross it, so that the two files may use different C++ runtimes.
#pragma once
#include <cstdint>

#include "kernels/launch.h"

namespace msn::kernels {

// Raised with every change of this table or of an argument struct.
constexpr uint32_t kModuleVersion = 3;

struct AcceptPath;
struct AdamW;
struct ColumnSum;
struct CrossEntropy;
struct DraftNodes;
struct EmbeddingBackward;
struct EmbeddingForward;
struct KvCompact;
struct Linear;
struct LogProbability;
struct LongestMatch;
struct MatrixProduct;
struct NoiseTokens;
struct PackedAttentionBackward;
struct PackedAttentionForward;
struct RmsNormBackward;
struct RmsNormForward;
struct RotaryTable;
struct SampleTokens;
struct SplitHeadsBackward;
struct SplitHeadsForward;
struct SquaredNorm;
struct SwiGluBackward;
struct SwiGluForward;
struct TopK;
struct TreeAttention;

struct DeviceDescription {
  char name[256];
  DeviceFacts facts;
  bool has_code;  // the module has kernels for it
  int64_t memory_bytes;
  int64_t free_bytes;
};

// Memory, streams and graphs. Every function returns a Status.
struct DeviceFunctions {
  // 0: no driver. As CUDA counts: 13000 is 13.0.
  Status (*driver_version)(int* version);
  Status (*runtime_version)(int* version);
  Status (*device_count)(int* count);
  Status (*describe)(int device, DeviceDescription* description);
  // To be called by a thread before it uses a device's memory or streams.
  Status (*select)(int device);
  Status (*allocate)(void** memory, int64_t bytes);
  Status (*release)(void* memory);
  // Host memory that the device reads and writes too, under the same address.
  Status (*allocate_pinned)(void** memory, int64_t bytes);
  Status (*release_pinned)(void* memory);
  Status (*copy_from_host)(void* device, const void* host, int64_t bytes, Stream stream);
  Status (*copy_to_host)(void* host, const void* device, int64_t bytes, Stream stream);
  Status (*copy)(void* destination, const void* source, int64_t bytes, Stream stream);
  Status (*fill)(void* memory, int value, int64_t bytes, Stream stream);
  Status (*create_stream)(Stream* stream);
  Status (*destroy_stream)(Stream stream);
  Status (*synchronize)(Stream stream);
  Status (*create_event)(void** event);
  Status (*destroy_event)(void* event);
  Status (*record_event)(void* event, Stream stream);
  Status (*wait_for_event)(void* event);  // on the host
  Status (*begin_capture)(Stream stream);
  // `graph` null: the capture is given up.
  Status (*end_capture)(Stream stream, void** graph);
  Status (*launch_graph)(void* graph, Stream stream);
  Status (*destroy_graph)(void* graph);
  const char* (*error_name)(Status status);
  const char* (*error_text)(Status status);
};

template <class Args>
using Launcher = Status (*)(const Args& args, const Launch& where);

struct Module {
  uint32_t version;  // kModuleVersion
  bool is_shim;
  const char* architectures;  // "80 86 89 90a 100 120"
  DeviceFunctions device;

  Launcher<EmbeddingForward> embedding_forward;
  Launcher<RmsNormForward> rms_norm_forward;
  Launcher<RotaryTable> rotary_table;
  Launcher<SplitHeadsForward> split_heads_forward;
  Launcher<TreeAttention> tree_attention;
  Launcher<Linear> linear;
  Launcher<SwiGluForward> swiglu_forward;
  Launcher<TopK> top_k;
  Launcher<LogProbability> log_probability;
  Launcher<KvCompact> kv_compact;

  Launcher<LongestMatch> longest_match;
  Launcher<DraftNodes> draft_nodes;
  Launcher<SampleTokens> sample_tokens;
  Launcher<AcceptPath> accept_path;

  Launcher<NoiseTokens> noise_tokens;
  Launcher<MatrixProduct> matrix_product;
  Launcher<ColumnSum> column_sum;
  Launcher<PackedAttentionForward> packed_attention_forward;
  Launcher<PackedAttentionBackward> packed_attention_backward;
  Launcher<CrossEntropy> cross_entropy;
  Launcher<EmbeddingBackward> embedding_backward;
  Launcher<RmsNormBackward> rms_norm_backward;
  Launcher<SplitHeadsBackward> split_heads_backward;
  Launcher<SwiGluBackward> swiglu_backward;
  Launcher<SquaredNorm> squared_norm;
  Launcher<AdamW> adamw;
};

}  // namespace msn::kernels

// The module's one exported symbol.
extern "C" const msn::kernels::Module* msn_cuda_module();
using MsnCudaModuleFunction = const msn::kernels::Module* (*)();
