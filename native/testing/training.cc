// Shows a trainer: createTrainer({ shape, tensors | seed, optimizer, noise, gradientCheckpointing,
// instructions, threads, activations }) returns an object with step, evaluate, state, gradient, restore,
// stepsDone and bytes.
#include <cstring>
#include <vector>

#include "runtime/trainer.h"
#include "testing/model.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

std::vector<int32_t> integers(const Napi::Object& args, const char* name) {
  const auto array = args.Get(name).As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

MicroBatch micro_batch(const Napi::Object& args) {
  return {integers(args, "tokens"), integers(args, "labels"), integers(args, "documentOffsets"),
          integers(args, "samples")};
}

OptimizerOptions optimizer_options(const Napi::Value& value) {
  if (!value.IsObject()) return {};
  const auto args = value.As<Napi::Object>();
  return {number(args, "beta1", 0.9),
          number(args, "beta2", 0.999),
          number(args, "epsilon", 1e-8),
          number(args, "weightDecay"),
          number(args, "clipNorm", 1),
          string(args, "moments", "f32") == "8bit" ? MomentFormat::k8Bit : MomentFormat::kF32};
}

NoiseOptions noise_options(const Napi::Value& value) {
  if (!value.IsObject()) return {};
  const auto args = value.As<Napi::Object>();
  return {true, string(args, "kind") == "uniform" ? NoiseKind::kUniform : NoiseKind::kAhead,
          static_cast<int32_t>(number(args, "length", 5)), static_cast<int32_t>(number(args, "segments", 1)),
          static_cast<uint64_t>(number(args, "seed"))};
}

TrainingTensors training_tensors(const std::string& name) {
  if (name == "firstMoments") return TrainingTensors::kFirstMoments;
  if (name == "secondMoments") return TrainingTensors::kSecondMoments;
  return TrainingTensors::kWeights;
}

// Tensors given as typed arrays, { name: Float32Array }.
class ArraySource : public TensorSource {
 public:
  explicit ArraySource(const Napi::Object& arrays) : arrays_(arrays) {}
  bool has(const std::string& name) const override { return arrays_.Has(name); }
  Tensor tensor(const TensorSpec& spec) override {
    auto array = arrays_.Get(spec.name).As<Napi::Float32Array>();
    if (static_cast<int64_t>(array.ElementLength()) != element_count(spec))
      throw Error(ErrorCode::kModelFormat, "the array has another size", spec.name);
    Tensor view;
    view.data = array.Data();
    view.rank = static_cast<int>(spec.shape.size());
    for (size_t axis = 0; axis < spec.shape.size(); ++axis) view.shape[axis] = spec.shape[axis];
    return view;
  }

 private:
  Napi::Object arrays_;
};

Napi::Value read_tensor(Napi::Env env, const ModelShape& shape, TensorSource& source,
                        const std::string& name) {
  for (const TensorSpec& spec : tensor_specs(shape)) {
    if (spec.name != name) continue;
    const Tensor tensor = source.tensor(spec);
    auto result = Napi::Float32Array::New(env, static_cast<size_t>(tensor.elements()));
    std::memcpy(result.Data(), tensor.data, static_cast<size_t>(tensor.bytes()));
    return result;
  }
  throw Error(ErrorCode::kInvalidArgument, "no such tensor", name);
}

Napi::Value counts(Napi::Env env, const std::vector<int64_t>& values) {
  auto result = Napi::Array::New(env);
  for (int64_t value : values) result.Set(result.Length(), static_cast<double>(value));
  return result;
}

// Native errors keep their code on their way to JavaScript, as in module.cc.
template <class Body>
Napi::Function method(Napi::Env env, Body body) {
  return Napi::Function::New(env, [body](const Napi::CallbackInfo& info) -> Napi::Value {
    try {
      return body(info);
    } catch (const Error& error) {
      Napi::Error thrown = Napi::Error::New(info.Env(), error.what());
      thrown.Set("code", Napi::String::New(info.Env(), error_code_name(error.code())));
      throw thrown;
    }
  });
}

// step(batches, epoch, learningRate, cancelled?)
Napi::Value step(Trainer& trainer, const Napi::CallbackInfo& info) {
  std::vector<MicroBatch> batches;
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) batches.push_back(micro_batch(list.Get(i).As<Napi::Object>()));
  CancelToken cancel;
  if (info[3].IsBoolean() && info[3].ToBoolean()) cancel.cancel();
  const TrainingStep done =
      trainer.step(batches, info[1].ToNumber().Uint32Value(), info[2].ToNumber().DoubleValue(), cancel);
  auto result = Napi::Object::New(info.Env());
  result.Set("loss", done.loss);
  result.Set("gradientNorm", done.gradient_norm);
  result.Set("lossTokens", static_cast<double>(done.loss_tokens));
  result.Set("inputTokens", static_cast<double>(done.input_tokens));
  return result;
}

// evaluate(batch, noise?)
Napi::Value evaluate(Trainer& trainer, const Napi::CallbackInfo& info) {
  const EvaluationSums sums =
      trainer.evaluate(micro_batch(info[0].As<Napi::Object>()), noise_options(info[1]), CancelToken());
  auto result = Napi::Object::New(info.Env());
  result.Set("loss", sums.loss);
  result.Set("lossTokens", static_cast<double>(sums.loss_tokens));
  result.Set("correct", counts(info.Env(), sums.correct));
  result.Set("counted", counts(info.Env(), sums.counted));
  return result;
}

Napi::Value create_trainer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto args = info[0].As<Napi::Object>();
  const ModelShape shape = model_shape(args.Get("shape").As<Napi::Object>());
  const auto source = tensor_source(args, shape);
  const TrainerOptions options{optimizer_options(args.Get("optimizer")), noise_options(args.Get("noise")),
                               boolean(args, "gradientCheckpointing")};
  const auto trainer = std::make_shared<Trainer>(backend(args), shape, *source, options);
  auto result = Napi::Object::New(env);
  result.Set("step", method(env, [trainer](const Napi::CallbackInfo& call) { return step(*trainer, call); }));
  result.Set("evaluate",
             method(env, [trainer](const Napi::CallbackInfo& call) { return evaluate(*trainer, call); }));
  result.Set("stepsDone", method(env, [trainer](const Napi::CallbackInfo& call) -> Napi::Value {
               if (call[0].IsNumber()) trainer->set_steps_done(call[0].ToNumber().Int64Value());
               return Napi::Number::New(call.Env(), static_cast<double>(trainer->steps_done()));
             }));
  result.Set("bytes", method(env, [trainer](const Napi::CallbackInfo& call) -> Napi::Value {
               auto bytes = Napi::Object::New(call.Env());
               bytes.Set("state", static_cast<double>(trainer->state_bytes()));
               bytes.Set("workspace", static_cast<double>(trainer->workspace_bytes()));
               return bytes;
             }));
  result.Set("gradient", method(env, [trainer](const Napi::CallbackInfo& call) {
               return read_tensor(call.Env(), trainer->shape(), *trainer->gradients(), call[0].ToString());
             }));
  // state(which, name), restore(which, { name: Float32Array })
  result.Set("state", method(env, [trainer](const Napi::CallbackInfo& call) {
               return read_tensor(call.Env(), trainer->shape(),
                                  *trainer->source(training_tensors(call[0].ToString())), call[1].ToString());
             }));
  result.Set("restore", method(env, [trainer](const Napi::CallbackInfo& call) -> Napi::Value {
               ArraySource arrays(call[1].As<Napi::Object>());
               trainer->restore(training_tensors(call[0].ToString()), arrays);
               return call.Env().Undefined();
             }));
  return result;
}

const Register registered{"createTrainer", create_trainer};

}  // namespace
}  // namespace msn::testing
