// NativeTrainer: steps, evaluations and the state in and out run as jobs of the trainer's queue.
#include "addon/trainer_object.h"

#include <utility>

#include "addon/arguments.h"
#include "addon/cancel_object.h"
#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/model_object.h"
#include "addon/module_state.h"
#include "base/stopwatch.h"
#include "runtime/tensor_export.h"

namespace msn::addon {
namespace {

Napi::Value undefined(Napi::Env env, const Nothing&) { return env.Undefined(); }

std::vector<MicroBatch> read_micro_batches(const Napi::Value& value, const std::string& name) {
  const Napi::Array array = read_array(value, name);
  std::vector<MicroBatch> batches;
  for (uint32_t index = 0; index < array.Length(); ++index)
    batches.push_back(read_micro_batch(array.Get(index), name + "[" + std::to_string(index) + "]"));
  return batches;
}

Napi::Float32Array copy_of(Napi::Env env, TensorSource& source, const TensorSpec& spec) {
  const Tensor tensor = source.tensor(spec);
  return float32_array(env, {tensor.f32(), tensor.f32() + tensor.elements()});
}

}  // namespace

template <TrainerObject::Method method>
Napi::Value TrainerObject::answering(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return (this->*method)(info); });
}

template <TrainerObject::Method method>
Napi::Value TrainerObject::promising(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] { return (this->*method)(info); });
}

Napi::Function TrainerObject::define(Napi::Env env) {
  std::vector<PropertyDescriptor> members = {
      InstanceMethod("step", &TrainerObject::promising<&TrainerObject::step>),
      InstanceMethod("evaluate", &TrainerObject::promising<&TrainerObject::evaluate>),
      InstanceMethod("snapshot", &TrainerObject::promising<&TrainerObject::snapshot>),
      InstanceMethod("tensorSpecs", &TrainerObject::answering<&TrainerObject::list_tensor_specs>),
      InstanceMethod("writeTensors", &TrainerObject::promising<&TrainerObject::write_tensors>),
      InstanceMethod("restore", &TrainerObject::promising<&TrainerObject::restore>),
      InstanceMethod("gradient", &TrainerObject::answering<&TrainerObject::gradient>),
      InstanceMethod("weight", &TrainerObject::answering<&TrainerObject::weight>),
      InstanceMethod("dispose", &TrainerObject::answering<&TrainerObject::dispose>),
      InstanceAccessor("stepsDone", &TrainerObject::steps_done, &TrainerObject::set_steps_done),
  };
  if (const Napi::Value symbol = dispose_symbol(env); symbol.IsSymbol())
    members.push_back(
        InstanceMethod(symbol.As<Napi::Symbol>(), &TrainerObject::answering<&TrainerObject::dispose>));
  return DefineClass(env, "NativeTrainer", members);
}

Napi::Object TrainerObject::create(Napi::Env env, std::shared_ptr<Resident<Trainer>> resident) {
  ModuleState& state = ModuleState::of(env);
  state.new_trainer = std::move(resident);
  return state.trainer_class.New({});
}

TrainerObject::TrainerObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  ModuleState& state = ModuleState::of(env);
  const std::shared_ptr<Resident<Trainer>> resident = std::exchange(state.new_trainer, nullptr);
  if (!resident) throw Napi::TypeError::New(env, "a NativeTrainer is made by createTrainer");
  const Trainer& trainer = *resident->object;
  shape_ = trainer.shape();
  steps_done_ = std::make_shared<std::atomic<int64_t>>(trainer.steps_done());
  handle_ = std::make_unique<Handle<Trainer>>(env, state.loop, resident);
  Napi::Object self = info.This().As<Napi::Object>();
  self.Set("device", device_info(env, trainer.backend().info(), resident->device_reason));
  self.Set("dtype", dtype_label(trainer.backend().traits().activations));
  self.Set("parameters", static_cast<double>(parameter_count(shape_)));
}

Napi::Value TrainerObject::step(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  std::vector<MicroBatch> batches = read_micro_batches(info[0], "batches");
  const auto epoch = static_cast<uint32_t>(read_integer(info[1], "epoch", 0, UINT32_MAX));
  const double learning_rate = read_number(info[2], "learningRate");
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[3]),
      [resident, batches = std::move(batches), epoch, learning_rate, steps_done = steps_done_](Job& job) {
        const Stopwatch stopwatch;
        Trainer& trainer = *resident->object;
        const TrainingStep step = trainer.step(batches, epoch, learning_rate, job.cancel());
        steps_done->store(trainer.steps_done());
        return std::pair(step, stopwatch.milliseconds());
      },
      [](Napi::Env env, const std::pair<TrainingStep, double>& timed) {
        return training_step(env, timed.first, timed.second);
      });
}

Napi::Value TrainerObject::evaluate(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[2]),
      [resident, batch = read_micro_batch(info[0], "batch"), noise = read_noise_options(info[1], "noise")](
          Job& job) { return resident->object->evaluate(batch, noise, job.cancel()); },
      evaluation);
}

Napi::Value TrainerObject::snapshot(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[1]),
      [resident, dtype = read_dtype(info[0], "dtype")](Job& job) {
        const Trainer& trainer = *resident->object;
        const std::unique_ptr<TensorSource> weights = trainer.source(TrainingTensors::kWeights);
        auto model = std::make_shared<Resident<Model>>();
        model->queue = resident->queue;
        model->device_reason = resident->device_reason;
        model->object = std::make_unique<Model>(trainer.shared_backend(), trainer.shape(), *weights, dtype,
                                                nullptr, job.cancel());
        model->bytes = model->object->weight_bytes();
        return model;
      },
      ModelObject::create);
}

Napi::Value TrainerObject::list_tensor_specs(const Napi::CallbackInfo& info) {
  handle_->get();
  return tensor_spec_list(info.Env(), shape_);
}

Napi::Value TrainerObject::write_tensors(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[5]),
      [resident, which = read_training_tensors(info[0], "which"),
       request = read_tensor_export(info, 1)](Job& job) {
        const Trainer& trainer = *resident->object;
        export_tensors(*trainer.source(which), trainer.shape(), request, job.cancel());
        return Nothing{};
      },
      undefined);
}

Napi::Value TrainerObject::restore(const Napi::CallbackInfo& info) {
  const auto resident = handle_->get();
  return handle_->loop().run(
      resident->queue, read_cancel_token(info[2]),
      [resident, which = read_training_tensors(info[0], "which"),
       entries = read_tensor_entries(info[1], "tensors")](Job&) mutable {
        MappedTensors source(std::move(entries));
        resident->object->restore(which, source);
        return Nothing{};
      },
      undefined);
}

Napi::Value TrainerObject::gradient(const Napi::CallbackInfo& info) {
  return copy_of(info.Env(), *idle_trainer().gradients(), read_spec(info[0]));
}

Napi::Value TrainerObject::weight(const Napi::CallbackInfo& info) {
  return copy_of(info.Env(), *idle_trainer().source(TrainingTensors::kWeights), read_spec(info[0]));
}

Napi::Value TrainerObject::dispose(const Napi::CallbackInfo& info) {
  handle_->release();
  return info.Env().Undefined();
}

Napi::Value TrainerObject::steps_done(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(steps_done_->load()));
}

void TrainerObject::set_steps_done(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), [&] {
    const auto resident = handle_->get();
    const int64_t steps = read_integer(value, "stepsDone", 0, kMaxSafeInteger);
    steps_done_->store(steps);
    handle_->loop().run_unwatched(resident->queue,
                                  [resident, steps] { resident->object->set_steps_done(steps); });
    return Napi::Value();
  });
}

Trainer& TrainerObject::idle_trainer() const {
  const auto& resident = handle_->get();
  if (handle_->loop().busy(*resident->queue))
    throw Error(ErrorCode::kInvalidArgument, "a job of this trainer has not ended; await its promise first");
  return *resident->object;
}

TensorSpec TrainerObject::read_spec(const Napi::Value& name) const {
  const std::string wanted = read_string(name, "name");
  for (TensorSpec& spec : tensor_specs(shape_))
    if (spec.name == wanted) return std::move(spec);
  refuse("name", "the name of one of the model's tensors", name);
}

}  // namespace msn::addon
