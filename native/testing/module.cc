// The module of the tests' addon: collects what the other files of this folder register.
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "testing/rounded_backend.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

std::vector<std::pair<std::string, Function>>& registry() {
  static std::vector<std::pair<std::string, Function>> functions;
  return functions;
}

Napi::Value missing(const Napi::Object& args, const char* name, const char* kind) {
  throw Error(ErrorCode::kInvalidArgument, std::string("expected ") + kind, name);
  return args;
}

Dtype typed_array_dtype(const Napi::TypedArray& array, const char* name) {
  switch (array.TypedArrayType()) {
    case napi_float64_array:
      return Dtype::kF64;
    case napi_float32_array:
      return Dtype::kF32;
    case napi_int32_array:
      return Dtype::kI32;
    case napi_uint16_array:
      return Dtype::kBf16;
    case napi_uint8_array:
      return Dtype::kU8;
    default:
      throw Error(ErrorCode::kInvalidArgument, "unexpected kind of typed array", name);
  }
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  for (const auto& [name, function] : registry()) {
    exports.Set(name, Napi::Function::New(
                          env,
                          [function](const Napi::CallbackInfo& info) -> Napi::Value {
                            try {
                              return function(info);
                            } catch (const Error& error) {
                              Napi::Error thrown = Napi::Error::New(info.Env(), error.what());
                              thrown.Set("code",
                                         Napi::String::New(info.Env(), error_code_name(error.code())));
                              throw thrown;
                            }
                          },
                          name));
  }
  return exports;
}

}  // namespace

Register::Register(const char* name, Function function) {
  registry().emplace_back(name, std::move(function));
}

Tensor tensor(const Napi::Object& args, const char* name) {
  const Tensor found = optional_tensor(args, name);
  if (!found) missing(args, name, "a tensor { data, shape }");
  return found;
}

Tensor optional_tensor(const Napi::Object& args, const char* name) {
  const Napi::Value value = args.Get(name);
  if (!value.IsObject()) return {};
  const auto data = value.As<Napi::Object>().Get("data").As<Napi::TypedArray>();
  const auto shape = value.As<Napi::Object>().Get("shape").As<Napi::Array>();
  Tensor result;
  result.data = static_cast<uint8_t*>(data.ArrayBuffer().Data()) + data.ByteOffset();
  result.dtype = typed_array_dtype(data, name);
  result.rank = static_cast<int>(shape.Length());
  for (int axis = 0; axis < result.rank; ++axis) result.shape[axis] = shape.Get(axis).ToNumber().Int64Value();
  if (result.elements() != static_cast<int64_t>(data.ElementLength()))
    throw Error(ErrorCode::kInvalidArgument, "the shape does not fit the data", name);
  return result;
}

double number(const Napi::Object& args, const char* name, double fallback) {
  const Napi::Value value = args.Get(name);
  return value.IsNumber() ? value.ToNumber().DoubleValue() : fallback;
}

bool boolean(const Napi::Object& args, const char* name, bool fallback) {
  const Napi::Value value = args.Get(name);
  return value.IsBoolean() ? value.ToBoolean().Value() : fallback;
}

std::string string(const Napi::Object& args, const char* name, const char* fallback) {
  const Napi::Value value = args.Get(name);
  return value.IsString() ? value.ToString().Utf8Value() : fallback;
}

SamplingOptions sampling_options(const Napi::Object& args) {
  return {.temperature = number(args, "temperature"),
          .top_k = static_cast<int32_t>(number(args, "topK")),
          .top_p = number(args, "topP", 1),
          .min_p = number(args, "minP"),
          .repetition_penalty = number(args, "repetitionPenalty", 1),
          .seed = static_cast<uint64_t>(number(args, "seed"))};
}

const std::shared_ptr<Backend>& backend(const Napi::Object& args) {
  static std::map<std::tuple<std::string, std::string, int, bool>, std::shared_ptr<Backend>> backends;
  BackendOptions options;
  options.device = string(args, "device", "cpu");
  options.instructions = string(args, "instructions");
  options.threads = static_cast<int>(number(args, "threads", 1));
  const bool rounded = string(args, "activations", "f32") == "bf16";
  auto& found = backends[{options.device, options.instructions, options.threads, rounded}];
  if (!found) found = make_backend(options, nullptr);
  if (rounded && found->traits().activations == Dtype::kF32) found = round_activations(found);
  return found;
}

}  // namespace msn::testing

using msn::testing::initialize;  // the macro pastes the name
NODE_API_MODULE(makesomenoise_testing, initialize)
