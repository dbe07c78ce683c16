// What the addon keeps for one JavaScript environment; the main thread and every worker have their own.
#pragma once
#include <napi.h>

#include <memory>

#include "addon/event_loop.h"
#include "addon/resident.h"
#include "model/model.h"
#include "runtime/trainer.h"

namespace msn::addon {

struct ModuleState {
  explicit ModuleState(Napi::Env env) : loop(std::make_shared<EventLoop>(env)) {}
  static ModuleState& of(Napi::Env env) { return *env.GetInstanceData<ModuleState>(); }

  Napi::FunctionReference error_class;  // MakeSomeNoiseError; empty until setErrorClass
  std::shared_ptr<EventLoop> loop;
  Napi::FunctionReference cancel_token_class;
  Napi::FunctionReference model_class;
  Napi::FunctionReference trainer_class;
  // What the constructor that is running right now wraps. JavaScript cannot fill it, so it cannot construct
  // either.
  std::shared_ptr<Resident<Model>> new_model;
  std::shared_ptr<Resident<Trainer>> new_trainer;
};

}  // namespace msn::addon
