// JavaScript objects as the engine's plain structs. Meaning (a tree without holes, ids inside the vocabulary)
// is checked by the engine; here only what would make memory unsafe, and the kinds of the values.
#include <algorithm>
#include <array>
#include <utility>

#include "addon/arguments.h"
#include "addon/convert.h"

namespace msn::addon {
namespace {

template <class Value, size_t count>
using Choices = std::array<std::pair<const char*, Value>, count>;

template <class Value, size_t count>
Value read_choice(const Napi::Value& value, const std::string& name, const Choices<Value, count>& choices) {
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    for (const auto& [label, choice] : choices)
      if (text == label) return choice;
  }
  std::string expected;
  for (const auto& [label, choice] : choices)
    expected += (expected.empty() ? "'" : " | '") + std::string(label) + "'";
  refuse(name, expected, value);
}

std::string item(const std::string& name, uint32_t index) { return name + "[" + std::to_string(index) + "]"; }

// Reads every element of an array with read(value, name).
template <class Read>
auto read_list(const Napi::Value& value, const std::string& name, Read read) {
  const Napi::Array array = read_array(value, name);
  std::vector<decltype(read(value, name))> result;
  result.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::HandleScope scope(array.Env());
    result.push_back(read(array.Get(index), item(name, index)));
  }
  return result;
}

[[noreturn]] void refuse_list(const std::string& name, const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument, "expected " + expected, name);
}

Dtype read_stored_dtype(const Napi::Value& value, const std::string& name) {
  return read_choice(value, name,
                     Choices<Dtype, 6>{{{"F64", Dtype::kF64},
                                        {"F32", Dtype::kF32},
                                        {"BF16", Dtype::kBf16},
                                        {"F16", Dtype::kF16},
                                        {"I32", Dtype::kI32},
                                        {"U8", Dtype::kU8}}});
}

TensorEntry read_tensor_entry(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  TensorEntry entry;
  entry.name = fields.string("name");
  entry.dtype = read_stored_dtype(fields.value("dtype"), fields.path("dtype"));
  entry.shape = read_list(fields.value("shape"), fields.path("shape"),
                          [](const Napi::Value& size, const std::string& path) {
                            return read_integer(size, path, 0, kMaxSafeInteger);
                          });
  entry.file = fields.string("file");
  entry.begin = fields.integer("begin", 0);
  entry.end = fields.integer("end", 0);
  return entry;
}

// Path i is columns[offsets[i] .. offsets[i + 1]); no offsets at all: no paths.
std::vector<std::vector<int32_t>> read_paths(const Fields& fields) {
  const std::vector<int32_t> offsets = fields.int32_array("pathOffsets");
  const std::vector<int32_t> columns = fields.int32_array("pathColumns");
  std::vector<std::vector<int32_t>> paths;
  if (offsets.empty() && columns.empty()) return paths;
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<int64_t>(columns.size()) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    refuse_list(fields.path("pathOffsets"),
                "ascending offsets from 0 to the " + std::to_string(columns.size()) + " path columns");
  for (size_t path = 0; path + 1 < offsets.size(); ++path)
    paths.emplace_back(columns.begin() + offsets[path], columns.begin() + offsets[path + 1]);
  return paths;
}

}  // namespace

DtypeRequest read_dtype(const Napi::Value& value, const std::string& name) {
  return read_choice(value, name,
                     Choices<DtypeRequest, 5>{{{"f32", Dtype::kF32},
                                               {"bf16", Dtype::kBf16},
                                               {"int8", Dtype::kI8},
                                               {"stored-f32", {Dtype::kF32, false}},
                                               {"stored-bf16", {Dtype::kBf16, false}}}});
}

namespace {

std::optional<Dtype> read_training_dtype(const Napi::Value& value, const std::string& name) {
  return read_choice(value, name,
                     Choices<std::optional<Dtype>, 3>{
                         {{"auto", std::nullopt}, {"f32", Dtype::kF32}, {"bf16", Dtype::kBf16}}});
}

}  // namespace

ModelShape read_model_shape(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  ModelShape shape;
  shape.vocabulary_size = fields.integer("vocabularySize", 0);
  shape.hidden_size = fields.integer("hiddenSize", 0);
  shape.intermediate_size = fields.integer("intermediateSize", 0);
  shape.layers = fields.integer("layers", 0);
  shape.heads = fields.integer("heads", 0);
  shape.kv_heads = fields.integer("kvHeads", 0);
  shape.head_dim = fields.integer("headDim", 0);
  shape.context_length = fields.integer("contextLength", 0);
  shape.window = fields.integer("window", 0);
  shape.norm_epsilon = static_cast<float>(fields.number("normEpsilon"));
  shape.tied_head = fields.boolean("tiedHead");
  shape.attention_bias = fields.boolean("attentionBias");
  shape.query_key_norm = fields.boolean("queryKeyNorm");
  shape.rope.kind = read_choice(
      fields.value("ropeKind"), fields.path("ropeKind"),
      Choices<RopeKind, 3>{
          {{"default", RopeKind::kDefault}, {"linear", RopeKind::kLinear}, {"llama3", RopeKind::kLlama3}}});
  shape.rope.theta = fields.number("ropeTheta");
  shape.rope.factor = fields.number("ropeFactor");
  shape.rope.low_freq_factor = fields.number("ropeLowFreqFactor");
  shape.rope.high_freq_factor = fields.number("ropeHighFreqFactor");
  shape.rope.original_length = fields.number("ropeOriginalLength");
  check_shape(shape);
  return shape;
}

std::vector<TensorEntry> read_tensor_entries(const Napi::Value& value, const std::string& name) {
  return read_list(value, name, read_tensor_entry);
}

BackendOptions read_device_options(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  BackendOptions options;
  options.device = fields.string("device");
  options.threads = static_cast<int>(fields.integer("threads", 0, 1024));
  options.instructions = fields.string("instructions");
  return options;
}

GenerationRequest read_generation_request(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  GenerationRequest request;
  request.prompt = fields.int32_array("prompt");
  request.max_new_tokens = fields.integer("maxNewTokens", 1);
  request.end_of_sequence = fields.int32_array("endOfSequence");
  request.sampling.temperature = fields.number("temperature");
  request.sampling.top_k = fields.int32("topK", 0);
  request.sampling.top_p = fields.number("topP");
  request.sampling.min_p = fields.number("minP");
  request.sampling.repetition_penalty = fields.number("repetitionPenalty");
  request.sampling.seed = fields.seed("seed");
  request.decoding.paths = read_paths(fields);
  request.decoding.depth = fields.int32("depth", 0);
  request.decoding.width = fields.int32("width", 0);
  request.decoding.retrieval = fields.boolean("retrieval");
  request.decoding.min_match = fields.int32("minMatch", 1);
  request.decoding.noise_seed = fields.seed("noiseSeed");
  return request;
}

DenoisingRequest read_denoising_request(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  DenoisingRequest request;
  request.prefix = fields.int32_array("prefix");
  request.noisy = fields.int32_array("noisy");
  request.noise_length = fields.int32("noiseLength", 0);
  request.noise_seed = fields.seed("noiseSeed");
  request.max_iterations = fields.integer("maxIterations", 0);
  return request;
}

MicroBatch read_micro_batch(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  MicroBatch batch;
  batch.tokens = fields.int32_array("tokens");
  batch.labels = fields.int32_array("labels");
  batch.document_offsets = fields.int32_array("documentOffsets");
  batch.samples = fields.int32_array("samples");
  const std::string tokens = std::to_string(batch.tokens.size());
  if (batch.labels.size() != batch.tokens.size())
    refuse_list(fields.path("labels"), "one label for each of " + tokens + " tokens");
  const auto& offsets = batch.document_offsets;
  if (offsets.empty() || offsets.front() != 0 ||
      offsets.back() != static_cast<int64_t>(batch.tokens.size()) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    refuse_list(fields.path("documentOffsets"), "ascending offsets from 0 to the " + tokens + " tokens");
  if (batch.samples.size() + 1 != offsets.size())
    refuse_list(fields.path("samples"),
                "one row number for each of " + std::to_string(offsets.size() - 1) + " documents");
  return batch;
}

NoiseOptions read_noise_options(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  NoiseOptions options;
  options.enabled = fields.boolean("enabled");
  options.kind =
      read_choice(fields.value("kind"), fields.path("kind"),
                  Choices<NoiseKind, 2>{{{"ahead", NoiseKind::kAhead}, {"uniform", NoiseKind::kUniform}}});
  options.length = fields.int32("length", options.enabled ? 1 : 0);
  options.segments = fields.int32("segments", options.enabled ? 1 : 0);
  options.seed = fields.seed("seed");
  return options;
}

namespace {

OptimizerOptions read_optimizer_options(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  OptimizerOptions options;
  options.beta1 = fields.number("beta1");
  options.beta2 = fields.number("beta2");
  options.epsilon = fields.number("epsilon");
  options.weight_decay = fields.number("weightDecay");
  options.clip_norm = fields.number("clipNorm");
  options.moments =
      read_choice(fields.value("moments"), fields.path("moments"),
                  Choices<MomentFormat, 2>{{{"f32", MomentFormat::kF32}, {"8bit", MomentFormat::k8Bit}}});
  return options;
}

}  // namespace

TrainerOptions read_trainer_options(const Napi::Value& value, const std::string& name) {
  const Fields fields(value, name);
  return {read_optimizer_options(fields.value("optimizer"), fields.path("optimizer")),
          read_noise_options(fields.value("noise"), fields.path("noise")),
          fields.boolean("gradientCheckpointing"),
          read_training_dtype(fields.value("dtype"), fields.path("dtype"))};
}

TrainingTensors read_training_tensors(const Napi::Value& value, const std::string& name) {
  return read_choice(value, name,
                     Choices<TrainingTensors, 3>{{{"weights", TrainingTensors::kWeights},
                                                  {"firstMoments", TrainingTensors::kFirstMoments},
                                                  {"secondMoments", TrainingTensors::kSecondMoments}}});
}

TensorExport read_tensor_export(const Napi::CallbackInfo& info, size_t first) {
  TensorExport request;
  request.path = read_string(info[first], "path");
  request.header = read_uint8_array(info[first + 1], "header");
  request.names = read_list(info[first + 2], "names", read_string);
  request.dtype = read_choice(info[first + 3], "dtype",
                              Choices<Dtype, 2>{{{"F32", Dtype::kF32}, {"BF16", Dtype::kBf16}}});
  return request;
}

}  // namespace msn::addon
