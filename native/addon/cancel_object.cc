// A CancelToken in JavaScript's hands.
#include "addon/cancel_object.h"

#include "addon/arguments.h"
#include "addon/module_state.h"

namespace msn::addon {

std::shared_ptr<CancelToken> read_cancel_token(const Napi::Value& value, const char* name) {
  if (!value.IsObject() ||
      !value.As<Napi::Object>().InstanceOf(ModuleState::of(value.Env()).cancel_token_class.Value()))
    refuse(name, "a token made by createCancelToken", value);
  return CancelObject::Unwrap(value.As<Napi::Object>())->token();
}

}  // namespace msn::addon
