// A CancelToken in JavaScript's hands.
#pragma once
#include <napi.h>

#include <memory>

#include "base/cancel.h"

namespace msn::addon {

class CancelObject : public Napi::ObjectWrap<CancelObject> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "CancelToken", {}); }
  explicit CancelObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  const std::shared_ptr<CancelToken>& token() const { return token_; }

 private:
  std::shared_ptr<CancelToken> token_ = std::make_shared<CancelToken>();
};

// The token of an argument; ERR_INVALID_ARGUMENT for anything else.
std::shared_ptr<CancelToken> read_cancel_token(const Napi::Value& value, const char* name = "cancel");

}  // namespace msn::addon
