// NativeModel of ts/native/contract.ts: an inference model in JavaScript's hands.
#pragma once
#include <napi.h>

#include <memory>

#include "addon/resident.h"
#include "model/model.h"

namespace msn::addon {

class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<Resident<Model>> resident);
  explicit ModelObject(const Napi::CallbackInfo& info);  // only through create()
  const std::shared_ptr<Resident<Model>>& resident() const { return handle_->get(); }

 private:
  using Method = Napi::Value (ModelObject::*)(const Napi::CallbackInfo&);
  template <Method method>
  Napi::Value answering(const Napi::CallbackInfo& info);
  template <Method method>
  Napi::Value promising(const Napi::CallbackInfo& info);

  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value denoise(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value time_passes(const Napi::CallbackInfo& info);
  Napi::Value list_tensor_specs(const Napi::CallbackInfo& info);
  Napi::Value write_tensors(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::unique_ptr<Handle<Model>> handle_;
  ModelShape shape_;
};

// The model of an argument; ERR_INVALID_ARGUMENT for anything else, ERR_DISPOSED for a disposed one.
std::shared_ptr<Resident<Model>> read_model(const Napi::Value& value, const char* name);

}  // namespace msn::addon
