// The inference operations on typed arrays.
#include "backend/processor.h"
#include "ops/embedding.h"
#include "ops/kv_compact.h"
#include "ops/linear.h"
#include "ops/log_probability.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/split_heads.h"
#include "ops/swiglu.h"
#include "ops/top_k.h"
#include "ops/tree_attention.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

Napi::Object arguments(const Napi::CallbackInfo& info) { return info[0].As<Napi::Object>(); }

// Registers `name`, which runs the operation that `make` reads from the arguments.
template <class Make>
Register operation(const char* name, Make make) {
  return Register(name, [make](const Napi::CallbackInfo& info) -> Napi::Value {
    const Napi::Object args = arguments(info);
    backend(args)->run(make(args));
    return info.Env().Undefined();
  });
}

Dtype weight_dtype(const Napi::Object& args) {
  return string(args, "dtype") == "bf16" ? Dtype::kBf16 : Dtype::kF32;
}

// args.weights: an array of { data, shape }, stacked; u16 data is bf16, or f16 with args.half.
WeightMatrix packed(const Napi::Object& args) {
  const auto list = args.Get("weights").As<Napi::Array>();
  std::vector<Tensor> sources;
  for (uint32_t index = 0; index < list.Length(); ++index) {
    Napi::Object holder = Napi::Object::New(args.Env());
    holder.Set("weights", list.Get(index));
    sources.push_back(tensor(holder, "weights"));
    if (sources.back().dtype == Dtype::kBf16 && boolean(args, "half")) sources.back().dtype = Dtype::kF16;
  }
  return backend(args)->pack_weight(sources, weight_dtype(args));
}

const Register instruction_sets("instructionSets", [](const Napi::CallbackInfo& info) -> Napi::Value {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const InstructionSet set : {InstructionSet::kGeneric, InstructionSet::kAvx2, InstructionSet::kAvx512})
    if (set <= best_instruction_set()) names.Set(names.Length(), instruction_set_name(set));
  return names;
});

// args: weights, dtype, input, bias?, output, accumulate?. Returns the bytes of the packed weight.
const Register linear("linear", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const Napi::Object args = arguments(info);
  const WeightMatrix weight = packed(args);
  backend(args)->run(LinearForward{.input = tensor(args, "input"),
                                   .weight = &weight,
                                   .bias = optional_tensor(args, "bias"),
                                   .output = tensor(args, "output"),
                                   .accumulate = boolean(args, "accumulate")});
  return Napi::Number::New(info.Env(), static_cast<double>(weight.storage.bytes()));
});

// args: weights, dtype, firstRow, destination.
const Register pack_and_unpack("packAndUnpack", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const Napi::Object args = arguments(info);
  const WeightMatrix weight = packed(args);
  backend(args)->unpack_weight(weight, static_cast<int64_t>(number(args, "firstRow")),
                               tensor(args, "destination"));
  return info.Env().Undefined();
});

// args: tokens, output, and either table or weights with dtype.
const Register embedding("embedding", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const Napi::Object args = arguments(info);
  WeightMatrix table;
  EmbeddingForward operation{.tokens = tensor(args, "tokens"),
                             .table = optional_tensor(args, "table"),
                             .output = tensor(args, "output")};
  if (args.Get("weights").IsArray()) {
    table = packed(args);
    operation.packed_table = &table;
  }
  backend(args)->run(operation);
  return info.Env().Undefined();
});

const Register rms_norm = operation("rmsNorm", [](const Napi::Object& args) {
  return RmsNormForward{.input = tensor(args, "input"),
                        .addend = optional_tensor(args, "addend"),
                        .sum = optional_tensor(args, "sum"),
                        .weight = tensor(args, "weight"),
                        .epsilon = static_cast<float>(number(args, "epsilon")),
                        .output = tensor(args, "output"),
                        .inverse_rms = optional_tensor(args, "inverseRms")};
});

const Register rotary = operation("rotaryTable", [](const Napi::Object& args) {
  return RotaryTable{.positions = tensor(args, "positions"),
                     .inverse_frequencies = tensor(args, "inverseFrequencies"),
                     .table = tensor(args, "table")};
});

const Register split_heads = operation("splitHeads", [](const Napi::Object& args) {
  return SplitHeadsForward{.qkv = tensor(args, "qkv"),
                           .query_norm = optional_tensor(args, "queryNorm"),
                           .key_norm = optional_tensor(args, "keyNorm"),
                           .epsilon = static_cast<float>(number(args, "epsilon")),
                           .rotary = tensor(args, "rotary"),
                           .first_row = tensor(args, "firstRow"),
                           .query = tensor(args, "query"),
                           .keys = tensor(args, "keys"),
                           .values = tensor(args, "values")};
});

const Register tree_attention = operation("treeAttention", [](const Napi::Object& args) {
  return TreeAttention{.query = tensor(args, "query"),
                       .keys = tensor(args, "keys"),
                       .values = tensor(args, "values"),
                       .prefix_length = tensor(args, "prefixLength"),
                       .parents = tensor(args, "parents"),
                       .window = static_cast<int64_t>(number(args, "window")),
                       .output = tensor(args, "output")};
});

const Register swiglu = operation("swiglu", [](const Napi::Object& args) {
  return SwiGluForward{.gate_up = tensor(args, "gateUp"), .output = tensor(args, "output")};
});

const Register top_k = operation("topK", [](const Napi::Object& args) {
  return TopK{.logits = tensor(args, "logits"),
              .rows = optional_tensor(args, "rows"),
              .indices = tensor(args, "indices"),
              .values = optional_tensor(args, "values")};
});

const Register log_probability = operation("logProbability", [](const Napi::Object& args) {
  return LogProbability{
      .logits = tensor(args, "logits"), .targets = tensor(args, "targets"), .output = tensor(args, "output")};
});

const Register kv_compact = operation("kvCompact", [](const Napi::Object& args) {
  return KvCompact{.cache = tensor(args, "cache"),
                   .sources = tensor(args, "sources"),
                   .first_row = tensor(args, "firstRow"),
                   .count = optional_tensor(args, "count")};
});

}  // namespace
}  // namespace msn::testing
