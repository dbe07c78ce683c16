// Shows what a model's shape implies, and where its weights come from.
#include <cstring>

#include "testing/model.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

std::vector<int64_t> sizes(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<int64_t> result;
  for (uint32_t i = 0; i < list.Length(); ++i) result.push_back(list.Get(i).ToNumber().Int64Value());
  return result;
}

Dtype dtype_named(const std::string& name) {
  for (Dtype dtype : {Dtype::kF64, Dtype::kF32, Dtype::kBf16, Dtype::kF16, Dtype::kI32, Dtype::kU8})
    if (name == dtype_name(dtype)) return dtype;
  throw Error(ErrorCode::kInvalidArgument, "unknown dtype " + name);
}

}  // namespace

ModelShape model_shape(const Napi::Object& shape) {
  const auto integer = [&](const char* name) { return static_cast<int64_t>(number(shape, name)); };
  ModelShape result;
  result.vocabulary_size = integer("vocabularySize");
  result.hidden_size = integer("hiddenSize");
  result.intermediate_size = integer("intermediateSize");
  result.layers = integer("layers");
  result.heads = integer("heads");
  result.kv_heads = integer("kvHeads");
  result.head_dim = integer("headDim");
  result.context_length = integer("contextLength");
  result.window = integer("window");
  result.norm_epsilon = static_cast<float>(number(shape, "normEpsilon"));
  result.tied_head = boolean(shape, "tiedHead");
  result.attention_bias = boolean(shape, "attentionBias");
  result.query_key_norm = boolean(shape, "queryKeyNorm");
  const std::string kind = string(shape, "ropeKind", "default");
  result.rope.kind = kind == "llama3"   ? RopeKind::kLlama3
                     : kind == "linear" ? RopeKind::kLinear
                                        : RopeKind::kDefault;
  result.rope.theta = number(shape, "ropeTheta");
  result.rope.factor = number(shape, "ropeFactor");
  result.rope.low_freq_factor = number(shape, "ropeLowFreqFactor");
  result.rope.high_freq_factor = number(shape, "ropeHighFreqFactor");
  result.rope.original_length = number(shape, "ropeOriginalLength");
  return result;
}

TensorSpec tensor_spec(const Napi::Object& spec) { return {string(spec, "name"), sizes(spec.Get("shape"))}; }

std::vector<TensorEntry> tensor_entries(const Napi::Array& rows) {
  std::vector<TensorEntry> entries;
  for (uint32_t i = 0; i < rows.Length(); ++i) {
    const auto row = rows.Get(i).As<Napi::Object>();
    TensorEntry entry;
    entry.name = string(row, "name");
    entry.dtype = dtype_named(string(row, "dtype"));
    entry.shape = sizes(row.Get("shape"));
    entry.file = string(row, "file");
    entry.begin = static_cast<int64_t>(number(row, "begin"));
    entry.end = static_cast<int64_t>(number(row, "end"));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::unique_ptr<TensorSource> tensor_source(const Napi::Object& args, const ModelShape& shape) {
  if (args.Get("tensors").IsArray())
    return std::make_unique<MappedTensors>(tensor_entries(args.Get("tensors").As<Napi::Array>()));
  return std::make_unique<RandomTensors>(shape, static_cast<uint64_t>(number(args, "seed")),
                                         number(args, "initializerRange", 0.02));
}

namespace {

const Register check_shape_function{"checkShape", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                      check_shape(model_shape(info[0].As<Napi::Object>()));
                                      return info.Env().Undefined();
                                    }};

const Register frequencies_function{"inverseFrequencies", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                      const std::vector<double> frequencies =
                                          inverse_frequencies(model_shape(info[0].As<Napi::Object>()));
                                      auto result = Napi::Float64Array::New(info.Env(), frequencies.size());
                                      std::copy(frequencies.begin(), frequencies.end(), result.Data());
                                      return result;
                                    }};

const Register specs_function{"tensorSpecs", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                const ModelShape shape = model_shape(info[0].As<Napi::Object>());
                                auto result = Napi::Array::New(info.Env());
                                for (const TensorSpec& spec : tensor_specs(shape)) {
                                  auto row = Napi::Object::New(info.Env());
                                  auto dimensions = Napi::Array::New(info.Env());
                                  for (size_t axis = 0; axis < spec.shape.size(); ++axis)
                                    dimensions.Set(static_cast<uint32_t>(axis),
                                                   static_cast<double>(spec.shape[axis]));
                                  row.Set("name", spec.name);
                                  row.Set("shape", dimensions);
                                  result.Set(result.Length(), row);
                                }
                                return result;
                              }};

const Register parameters_function{"parameterCount", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                     const int64_t count =
                                         parameter_count(model_shape(info[0].As<Napi::Object>()));
                                     return Napi::Number::New(info.Env(), static_cast<double>(count));
                                   }};

// { shape?, tensors | seed, specs: NativeTensorSpec[], between? } -> the bytes of each tensor. `between` is
// called after the source is made and before anything is read.
const Register read_function{"readTensors", [](const Napi::CallbackInfo& info) -> Napi::Value {
                               const auto args = info[0].As<Napi::Object>();
                               ModelShape shape;
                               if (args.Get("shape").IsObject())
                                 shape = model_shape(args.Get("shape").As<Napi::Object>());
                               const auto source = tensor_source(args, shape);
                               if (args.Get("between").IsFunction())
                                 args.Get("between").As<Napi::Function>().Call({});
                               const auto specs = args.Get("specs").As<Napi::Array>();
                               auto result = Napi::Array::New(info.Env());
                               for (uint32_t i = 0; i < specs.Length(); ++i) {
                                 const Tensor tensor =
                                     source->tensor(tensor_spec(specs.Get(i).As<Napi::Object>()));
                                 auto bytes = Napi::ArrayBuffer::New(info.Env(), tensor.bytes());
                                 std::memcpy(bytes.Data(), tensor.data, tensor.bytes());
                                 result.Set(i, bytes);
                                 source->release();
                               }
                               return result;
                             }};

}  // namespace
}  // namespace msn::testing
