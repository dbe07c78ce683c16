// The engine's plain structs as JavaScript objects.
#include <cstring>

#include "addon/convert.h"

namespace msn::addon {
namespace {

template <class Array, class Element>
Array typed_array(Napi::Env env, const std::vector<Element>& values) {
  static_assert(sizeof(Element) == sizeof(*Array().Data()));
  Array array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(Element));
  return array;
}

Napi::Float64Array counts(Napi::Env env, const std::vector<int64_t>& values) {
  return float64_array(env, {values.begin(), values.end()});
}

const char* finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
  }
  return "";
}

}  // namespace

Napi::Int32Array int32_array(Napi::Env env, const std::vector<int32_t>& values) {
  return typed_array<Napi::Int32Array>(env, values);
}
Napi::Float32Array float32_array(Napi::Env env, const std::vector<float>& values) {
  return typed_array<Napi::Float32Array>(env, values);
}
Napi::Float64Array float64_array(Napi::Env env, const std::vector<double>& values) {
  return typed_array<Napi::Float64Array>(env, values);
}

const char* dtype_label(Dtype dtype) {
  return dtype == Dtype::kI8 ? "int8" : dtype == Dtype::kBf16 ? "bf16" : "f32";
}

Napi::Object device_info(Napi::Env env, const DeviceInfo& info, const std::string& reason) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("kind", info.kind);
  object.Set("name", info.name);
  object.Set("instructions", info.instructions);
  object.Set("computeCapability", info.compute_capability);
  object.Set("shim", info.shim);
  object.Set("library", info.library);
  object.Set("threads", info.threads);
  object.Set("memoryBytes", static_cast<double>(info.memory_bytes));
  object.Set("freeBytes", static_cast<double>(info.free_bytes));
  object.Set("reason", reason);
  return object;
}

Napi::Object cuda_report(Napi::Env env, const CudaReport& report) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("reason", report.reason);
  object.Set("module", report.module);
  object.Set("architectures", report.architectures);
  object.Set("shim", report.shim);
  object.Set("moduleVersion", report.module_version);
  object.Set("runtime", report.runtime);
  object.Set("driver", report.driver);
  object.Set("library", report.library);
  return object;
}

Napi::Array tensor_spec_list(Napi::Env env, const ModelShape& shape) {
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  const Napi::Array list = Napi::Array::New(env, specs.size());
  for (uint32_t index = 0; index < specs.size(); ++index) {
    const Napi::HandleScope scope(env);
    const TensorSpec& spec = specs[index];
    const Napi::Array sizes = Napi::Array::New(env, spec.shape.size());
    for (uint32_t axis = 0; axis < spec.shape.size(); ++axis)
      sizes.Set(axis, static_cast<double>(spec.shape[axis]));
    const Napi::Object object = Napi::Object::New(env);
    object.Set("name", spec.name);
    object.Set("shape", sizes);
    list.Set(index, object);
  }
  return list;
}

Napi::Object draft_path_lists(Napi::Env env, const std::vector<DraftPath>& paths) {
  std::vector<int32_t> offsets = {0};
  std::vector<int32_t> columns;
  for (const DraftPath& path : paths) {
    columns.insert(columns.end(), path.begin(), path.end());
    offsets.push_back(static_cast<int32_t>(columns.size()));
  }
  const Napi::Object object = Napi::Object::New(env);
  object.Set("pathOffsets", int32_array(env, offsets));
  object.Set("pathColumns", int32_array(env, columns));
  return object;
}

Napi::Object decoding_step(Napi::Env env, const DecodingStep& step, double milliseconds) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("tokens", int32_array(env, step.tokens));
  object.Set("acceptedLength", step.accepted_length);
  object.Set("finish", finish_name(step.finish));
  object.Set("acceptedSources", typed_array<Napi::Uint8Array>(env, step.accepted_sources));
  object.Set("acceptedPath", int32_array(env, step.accepted_path));
  object.Set("matchLength", step.match_length);
  object.Set("matchEnd", step.match_end);
  object.Set("knownRows", step.known_rows);
  object.Set("drafted", int32_array(env, step.drafted));
  object.Set("milliseconds", milliseconds);
  return object;
}

Napi::Object denoising_result(Napi::Env env, const DenoisingResult& result) {
  std::vector<int32_t> trajectory;
  for (const std::vector<int32_t>& row : result.trajectory)
    trajectory.insert(trajectory.end(), row.begin(), row.end());
  const Napi::Object object = Napi::Object::New(env);
  object.Set("tokens", int32_array(env, result.tokens));
  object.Set("trajectory", int32_array(env, trajectory));
  object.Set("iterations", static_cast<double>(result.iterations));
  object.Set("fixedPoint", result.fixed_point);
  object.Set("matched", static_cast<double>(result.matched));
  object.Set("probabilities", float32_array(env, result.probabilities));
  return object;
}

Napi::Object training_step(Napi::Env env, const TrainingStep& step, double milliseconds) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("loss", step.loss);
  object.Set("gradientNorm", step.gradient_norm);
  object.Set("lossTokens", static_cast<double>(step.loss_tokens));
  object.Set("inputTokens", static_cast<double>(step.input_tokens));
  object.Set("milliseconds", milliseconds);
  return object;
}

Napi::Object evaluation(Napi::Env env, const EvaluationSums& sums) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("lossSum", sums.loss);
  object.Set("lossTokens", static_cast<double>(sums.loss_tokens));
  object.Set("correct", counts(env, sums.correct));
  object.Set("counted", counts(env, sums.counted));
  return object;
}

}  // namespace msn::addon
