// NativeTrainer of ts/native/contract.ts: a trainer in JavaScript's hands.
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>

#include "addon/resident.h"
#include "runtime/trainer.h"

namespace msn::addon {

class TrainerObject : public Napi::ObjectWrap<TrainerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<Resident<Trainer>> resident);
  explicit TrainerObject(const Napi::CallbackInfo& info);  // only through create()

 private:
  using Method = Napi::Value (TrainerObject::*)(const Napi::CallbackInfo&);
  template <Method method>
  Napi::Value answering(const Napi::CallbackInfo& info);
  template <Method method>
  Napi::Value promising(const Napi::CallbackInfo& info);

  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value snapshot(const Napi::CallbackInfo& info);
  Napi::Value list_tensor_specs(const Napi::CallbackInfo& info);
  Napi::Value write_tensors(const Napi::CallbackInfo& info);
  Napi::Value restore(const Napi::CallbackInfo& info);
  Napi::Value gradient(const Napi::CallbackInfo& info);
  Napi::Value weight(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value steps_done(const Napi::CallbackInfo& info);
  void set_steps_done(const Napi::CallbackInfo& info, const Napi::Value& value);

  // The trainer, for an answer at once; throws ERR_INVALID_ARGUMENT while a job is running or waiting.
  Trainer& idle_trainer() const;
  TensorSpec read_spec(const Napi::Value& name) const;

  std::unique_ptr<Handle<Trainer>> handle_;
  ModelShape shape_;
  std::shared_ptr<std::atomic<int64_t>> steps_done_;  // the trainer's, as of its last finished step
};

}  // namespace msn::addon
