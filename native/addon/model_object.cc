// NativeModel: each method reads its arguments on the JS thread and runs as one job of the model's queue.
#include "addon/model_object.h"

#include <utility>

#include "addon/arguments.h"
#include "addon/cancel_object.h"
#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/module_state.h"
#include "base/stopwatch.h"
#include "model/model_tensors.h"
#include "runtime/decoding.h"
#include "runtime/denoising.h"
#include "runtime/passes.h"
#include "runtime/tensor_export.h"

namespace msn::addon {
namespace {

Nothing decode(const Model& model, GenerationRequest request, Job& job) {
  Decoder decoder(model, std::move(request));
  const Stopwatch prefill;
  decoder.prefill(job.cancel());
  job.emit([milliseconds = prefill.milliseconds()](Napi::Env env, const auto& callbacks) {
    callbacks[0].Call({Napi::Number::New(env, milliseconds)});
  });
  for (bool going = true; going;) {
    job.cancel().throw_if_cancelled();
    const Stopwatch stopwatch;
    DecodingStep step = decoder.step();
    going = step.finish == FinishReason::kNone;
    job.emit([step = std::move(step), milliseconds = stopwatch.milliseconds()](Napi::Env env,
                                                                               const auto& callbacks) {
      callbacks[1].Call({decoding_step(env, step, milliseconds)});
    });
  }
  return {};
}

Napi::Value undefined(Napi::Env env, const Nothing&) { return env.Undefined(); }

}  // namespace

template <ModelObject::Method method>
Napi::Value ModelObject::answering(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return (this->*method)(info); });
}

template <ModelObject::Method method>
Napi::Value ModelObject::promising(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] { return (this->*method)(info); });
}

Napi::Function ModelObject::define(Napi::Env env) {
  std::vector<PropertyDescriptor> members = {
      InstanceMethod("generate", &ModelObject::promising<&ModelObject::generate>),
      InstanceMethod("denoise", &ModelObject::promising<&ModelObject::denoise>),
      InstanceMethod("score", &ModelObject::promising<&ModelObject::score>),
      InstanceMethod("logits", &ModelObject::promising<&ModelObject::logits>),
      InstanceMethod("timePasses", &ModelObject::promising<&ModelObject::time_passes>),
      InstanceMethod("tensorSpecs", &ModelObject::answering<&ModelObject::list_tensor_specs>),
      InstanceMethod("writeTensors", &ModelObject::promising<&ModelObject::write_tensors>),
      InstanceMethod("dispose", &ModelObject::answering<&ModelObject::dispose>),
  };
  if (const Napi::Value symbol = dispose_symbol(env); symbol.IsSymbol())
    members.push_back(
        InstanceMethod(symbol.As<Napi::Symbol>(), &ModelObject::answering<&ModelObject::dispose>));
  return DefineClass(env, "NativeModel", members);
}

Napi::Object ModelObject::create(Napi::Env env, std::shared_ptr<Resident<Model>> resident) {
  ModuleState& state = ModuleState::of(env);
  state.new_model = std::move(resident);
  return state.model_class.New({});
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  ModuleState& state = ModuleState::of(env);
  const std::shared_ptr<Resident<Model>> resident = std::exchange(state.new_model, nullptr);
  if (!resident) throw Napi::TypeError::New(env, "a NativeModel is made by loadModel or createModel");
  const Model& model = *resident->object;
  shape_ = model.shape();
  handle_ = std::make_unique<Handle<Model>>(env, state.loop, resident);
  Napi::Object self = info.This().As<Napi::Object>();
  self.Set("device", device_info(env, model.backend().info(), resident->device_reason));
  self.Set("dtype", dtype_label(model.dtype()));
  self.Set("weightBytes", static_cast<double>(model.weight_bytes()));
  self.Set("parameters", static_cast<double>(parameter_count(shape_)));
}

Napi::Value ModelObject::generate(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  GenerationRequest request = read_generation_request(info[0], "request");
  const Napi::Function on_prefill = read_function(info[1], "onPrefill");
  const Napi::Function on_step = read_function(info[2], "onStep");
  return handle_->loop().run(resident->queue, read_cancel_token(info[3]),
                             [resident, request = std::move(request)](Job& job) mutable {
                               return decode(*resident->object, std::move(request), job);
                             },
                             undefined, {on_prefill, on_step});
}

Napi::Value ModelObject::denoise(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[1]),
      [resident, request = read_denoising_request(info[0], "request")](Job& job) {
        return msn::denoise(*resident->object, request, job.cancel());
      },
      denoising_result);
}

Napi::Value ModelObject::score(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[1]),
      [resident, tokens = read_int32_array(info[0], "tokens")](Job& job) {
        return msn::score(*resident->object, tokens, job.cancel());
      },
      float32_array);
}

Napi::Value ModelObject::logits(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  PassRequest request;
  request.prefix = read_int32_array(info[0], "prefix");
  request.tokens = read_int32_array(info[1], "tokens");
  request.parents = read_int32_array(info[2], "parents");
  request.chunk = read_integer(info[3], "chunk", 1, INT32_MAX);
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[4]),
      [resident, request = std::move(request)](Job& job) {
        return pass_logits(*resident->object, request, job.cancel());
      },
      float32_array);
}

Napi::Value ModelObject::time_passes(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  PassTiming timing;
  timing.nodes = read_integer(info[0], "nodes", 1, INT32_MAX);
  timing.prefix = read_integer(info[1], "prefix", 0, INT32_MAX);
  timing.repeats = read_integer(info[2], "repeats", 1, INT32_MAX);
  timing.with_logits = read_boolean(info[3], "withLogits");
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[4]),
      [resident, timing](Job& job) { return msn::time_passes(*resident->object, timing, job.cancel()); },
      float64_array);
}

Napi::Value ModelObject::list_tensor_specs(const Napi::CallbackInfo& info) {
  handle_->get();
  return tensor_spec_list(info.Env(), shape_);
}

Napi::Value ModelObject::write_tensors(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[4]),
      [resident, request = read_tensor_export(info, 0)](Job& job) {
        ModelTensors source(*resident->object);
        export_tensors(source, resident->object->shape(), request, job.cancel());
        return Nothing{};
      },
      undefined);
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
  handle_->release();
  return info.Env().Undefined();
}

std::shared_ptr<Resident<Model>> read_model(const Napi::Value& value, const char* name) {
  if (!value.IsObject() ||
      !value.As<Napi::Object>().InstanceOf(ModuleState::of(value.Env()).model_class.Value()))
    refuse(name, "a NativeModel", value);
  return ModelObject::Unwrap(value.As<Napi::Object>())->resident();
}

}  // namespace msn::addon
