// Shows models and decoding: whole requests as the addon makes them, and single passes that a test scripts.
#include <cstring>

#include "model/transformer.h"
#include "runtime/decoding.h"
#include "runtime/denoising.h"
#include "runtime/retrieval.h"
#include "runtime/sampler.h"
#include "testing/model.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

using SharedModel = std::shared_ptr<Model>;

// args.model: what makeModel gave.
const Model& model(const Napi::Object& args) {
  return **args.Get("model").As<Napi::External<SharedModel>>().Data();
}

// A list of integers, an Int32Array or a plain array.
std::vector<int32_t> integers(const Napi::Object& args, const char* name) {
  std::vector<int32_t> result;
  const Napi::Value value = args.Get(name);
  if (value.IsTypedArray()) {
    const auto typed = value.As<Napi::Int32Array>();
    result.assign(typed.Data(), typed.Data() + typed.ElementLength());
  } else if (value.IsArray()) {
    const auto list = value.As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) result.push_back(list.Get(i).ToNumber().Int32Value());
  }
  return result;
}

template <class Values>
Napi::Array list(Napi::Env env, const Values& values) {
  auto result = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i)
    result.Set(static_cast<uint32_t>(i), static_cast<double>(values[i]));
  return result;
}

// f32 or bf16.
Napi::Float32Array floats(Napi::Env env, Backend& backend, const Tensor& tensor) {
  auto result = Napi::Float32Array::New(env, tensor.elements());
  if (tensor.dtype == Dtype::kF32) {
    backend.copy_to_host(result.Data(), tensor.data, tensor.bytes());
    return result;
  }
  std::vector<uint16_t> upper_halves(tensor.elements());
  backend.copy_to_host(upper_halves.data(), tensor.data, tensor.bytes());
  for (size_t i = 0; i < upper_halves.size(); ++i) {
    const uint32_t bits = uint32_t{upper_halves[i]} << 16;
    std::memcpy(result.Data() + i, &bits, sizeof bits);
  }
  return result;
}

GenerationRequest generation_request(const Napi::Object& args) {
  GenerationRequest request;
  request.prompt = integers(args, "prompt");
  request.max_new_tokens = static_cast<int64_t>(number(args, "maxNewTokens", 32));
  request.end_of_sequence = integers(args, "endOfSequence");
  request.sampling = sampling_options(args);
  const auto paths = args.Get("paths").As<Napi::Array>();
  for (uint32_t i = 0; args.Get("paths").IsArray() && i < paths.Length(); ++i) {
    const auto columns = paths.Get(i).As<Napi::Array>();
    auto& path = request.decoding.paths.emplace_back();
    for (uint32_t j = 0; j < columns.Length(); ++j) path.push_back(columns.Get(j).ToNumber().Int32Value());
  }
  request.decoding.depth = static_cast<int32_t>(number(args, "depth", 5));
  request.decoding.width = static_cast<int32_t>(number(args, "width", 10));
  request.decoding.retrieval = boolean(args, "retrieval", true);
  request.decoding.min_match = static_cast<int32_t>(number(args, "minMatch", 2));
  request.decoding.noise_seed = static_cast<uint64_t>(number(args, "noiseSeed", 0));
  return request;
}

Napi::Object step_object(Napi::Env env, const DecodingStep& step) {
  auto result = Napi::Object::New(env);
  result.Set("tokens", list(env, step.tokens));
  result.Set("acceptedLength", step.accepted_length);
  result.Set("finish", step.finish == FinishReason::kNone   ? ""
                       : step.finish == FinishReason::kStop ? "stop"
                                                            : "length");
  std::vector<int> sources;
  for (const DraftSource source : step.accepted_sources) sources.push_back(static_cast<int>(source));
  result.Set("acceptedSources", list(env, sources));
  result.Set("acceptedPath", list(env, step.accepted_path));
  result.Set("matchLength", step.match_length);
  result.Set("matchEnd", step.match_end);
  result.Set("knownRows", step.known_rows);
  result.Set("drafted", list(env, step.drafted));
  return result;
}

// { shape, tensors | seed, initializerRange?, dtype?, threads?, instructions?, onProgress?, cancelled? }
const Register make_function{
    "makeModel", [](const Napi::CallbackInfo& info) -> Napi::Value {
      const auto args = info[0].As<Napi::Object>();
      const ModelShape shape = model_shape(args.Get("shape").As<Napi::Object>());
      const auto source = tensor_source(args, shape);
      std::function<void(int64_t, int64_t)> progress;
      if (args.Get("onProgress").IsFunction())
        progress = [&](int64_t done, int64_t total) {
          args.Get("onProgress")
              .As<Napi::Function>()
              .Call({Napi::Number::New(info.Env(), static_cast<double>(done)),
                     Napi::Number::New(info.Env(), static_cast<double>(total))});
        };
      CancelToken cancel;
      if (boolean(args, "cancelled")) cancel.cancel();
      const std::string name = string(args, "dtype", "f32");
      const Dtype dtype = name == "bf16"   ? Dtype::kBf16
                          : name == "f16"  ? Dtype::kF16
                          : name == "int8" ? Dtype::kI8
                                           : Dtype::kF32;
      auto made = std::make_shared<Model>(backend(args), shape, *source, dtype, progress, cancel);
      return Napi::External<SharedModel>::New(info.Env(), new SharedModel(std::move(made)),
                                              [](Napi::Env, SharedModel* held) { delete held; });
    }};

const Register bytes_function{"weightBytes", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                const auto bytes = model(info[0].As<Napi::Object>()).weight_bytes();
                                return Napi::Number::New(info.Env(), static_cast<double>(bytes));
                              }};

// { model, spec } -> the bytes of a tensor in the model's dtype
const Register read_function{"readModelTensor", [](const Napi::CallbackInfo& info) -> Napi::Value {
                               const auto args = info[0].As<Napi::Object>();
                               const TensorSpec spec = tensor_spec(args.Get("spec").As<Napi::Object>());
                               auto bytes = Napi::ArrayBuffer::New(
                                   info.Env(), element_count(spec) * dtype_size(model(args).dtype()));
                               model(args).read_tensor(spec, bytes.Data());
                               return bytes;
                             }};

// { model, passes: [{ tokens, parents, keep, hidden? }] } -> per pass { logits, hidden? }. Each pass runs
// behind the rows that the passes before it kept; keep: the nodes of one path, in order.
const Register passes_function{
    "runPasses", [](const Napi::CallbackInfo& info) -> Napi::Value {
      const auto args = info[0].As<Napi::Object>();
      const Model& engine = model(args);
      const auto passes = args.Get("passes").As<Napi::Array>();
      int64_t most = 1;
      for (uint32_t i = 0; i < passes.Length(); ++i)
        most = std::max<int64_t>(most, integers(passes.Get(i).As<Napi::Object>(), "tokens").size());
      Transformer transformer(engine, most, most);
      KvCache cache(engine.backend(), engine.shape());
      auto result = Napi::Array::New(info.Env());
      for (uint32_t i = 0; i < passes.Length(); ++i) {
        const auto pass = passes.Get(i).As<Napi::Object>();
        const std::vector<int32_t> tokens = integers(pass, "tokens");
        const std::vector<int32_t> parents = integers(pass, "parents");
        transformer.forward({tokens, parents}, cache);
        auto numbers = Napi::Object::New(info.Env());
        if (boolean(pass, "hidden"))
          numbers.Set("hidden", floats(info.Env(), engine.backend(), transformer.hidden()));
        const int64_t nodes = static_cast<int64_t>(tokens.size());
        numbers.Set("logits", floats(info.Env(), engine.backend(), transformer.logits(0, nodes)));
        result.Set(i, numbers);
        cache.keep(integers(pass, "keep"));
      }
      return result;
    }};

// { model, lead?: 'host' | 'device', ...request } -> NativeDecodingStep[]
const Register decode_function{"decode", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                 const auto args = info[0].As<Napi::Object>();
                                 const std::string lead = string(args, "lead");
                                 Decoder decoder(model(args), generation_request(args),
                                                 lead == "host"     ? StepLead::kHost
                                                 : lead == "device" ? StepLead::kDevice
                                                                    : StepLead::kOfBackend);
                                 CancelToken cancel;
                                 if (boolean(args, "cancelled")) cancel.cancel();
                                 decoder.prefill(cancel);
                                 auto result = Napi::Array::New(info.Env());
                                 for (FinishReason finish = FinishReason::kNone;
                                      finish == FinishReason::kNone;) {
                                   const DecodingStep step = decoder.step();
                                   finish = step.finish;
                                   result.Set(result.Length(), step_object(info.Env(), step));
                                 }
                                 return result;
                               }};

// How many steps the model's backend has captured so far.
const Register captures_function{"captures", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                   const Model& engine = model(info[0].As<Napi::Object>());
                                   return Napi::Number::New(info.Env(),
                                                            static_cast<double>(engine.backend().captures()));
                                 }};

const Register denoise_function{"denoise", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                  const auto args = info[0].As<Napi::Object>();
                                  DenoisingRequest request;
                                  request.prefix = integers(args, "prefix");
                                  request.noisy = integers(args, "noisy");
                                  request.noise_length = static_cast<int32_t>(number(args, "noiseLength", 5));
                                  request.noise_seed = static_cast<uint64_t>(number(args, "noiseSeed", 0));
                                  request.max_iterations =
                                      static_cast<int64_t>(number(args, "maxIterations", 0));
                                  CancelToken cancel;
                                  if (boolean(args, "cancelled")) cancel.cancel();
                                  const DenoisingResult denoised = denoise(model(args), request, cancel);
                                  auto result = Napi::Object::New(info.Env());
                                  auto trajectory = Napi::Array::New(info.Env());
                                  for (const auto& tokens : denoised.trajectory)
                                    trajectory.Set(trajectory.Length(), list(info.Env(), tokens));
                                  result.Set("tokens", list(info.Env(), denoised.tokens));
                                  result.Set("trajectory", trajectory);
                                  result.Set("iterations", static_cast<double>(denoised.iterations));
                                  result.Set("fixedPoint", denoised.fixed_point);
                                  result.Set("matched", static_cast<double>(denoised.matched));
                                  result.Set("probabilities", list(info.Env(), denoised.probabilities));
                                  return result;
                                }};

const Register score_function{"score", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                const auto args = info[0].As<Napi::Object>();
                                CancelToken cancel;
                                if (boolean(args, "cancelled")) cancel.cancel();
                                return list(info.Env(), score(model(args), integers(args, "tokens"), cancel));
                              }};

// { tokens, minMatch, depth } -> after each token: { length, end, continuation }
const Register retrieval_function{
    "retrieve", [](const Napi::CallbackInfo& info) -> Napi::Value {
      const auto args = info[0].As<Napi::Object>();
      Retrieval retrieval(static_cast<int32_t>(number(args, "minMatch", 2)));
      std::vector<int32_t> continuation(static_cast<size_t>(number(args, "depth", 5)));
      auto result = Napi::Array::New(info.Env());
      for (const int32_t token : integers(args, "tokens")) {
        retrieval.append(token);
        const Match match = retrieval.longest_match();
        auto found = Napi::Object::New(info.Env());
        found.Set("length", match.length);
        found.Set("end", match.end);
        if (match.length > 0) {
          retrieval.read_continuation(match, continuation);
          found.Set("continuation", list(info.Env(), continuation));
        }
        result.Set(result.Length(), found);
      }
      return result;
    }};

// { logits, known, path, index, ...sampling } -> token
const Register sample_function{"sample", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                 const auto args = info[0].As<Napi::Object>();
                                 const SamplingOptions options = sampling_options(args);
                                 check_sampling(options);
                                 const Tensor logits = tensor(args, "logits");
                                 Sampler sampler(options, logits.elements());
                                 for (const int32_t token : integers(args, "known")) sampler.add_known(token);
                                 const int32_t token = sampler.choose(
                                     std::span(logits.f32(), logits.elements()), integers(args, "path"),
                                     static_cast<int64_t>(number(args, "index")));
                                 return Napi::Number::New(info.Env(), token);
                               }};

}  // namespace
}  // namespace msn::testing
