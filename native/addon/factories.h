// loadModel, createModel and createTrainer: each begins an engine (a backend and its queue) of its own.
#pragma once
#include <napi.h>

namespace msn::addon {

Napi::Value load_model(const Napi::CallbackInfo& info);
Napi::Value create_model(const Napi::CallbackInfo& info);
Napi::Value create_trainer(const Napi::CallbackInfo& info);

}  // namespace msn::addon
