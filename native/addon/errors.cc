// Native exceptions as JavaScript errors.
#include "addon/errors.h"

#include <new>
#include <string>

#include "addon/module_state.h"
#include "base/error.h"

namespace msn::addon {
namespace {

Napi::Value coded_error(Napi::Env env, ErrorCode code, const std::string& message) {
  const Napi::String name = Napi::String::New(env, error_code_name(code));
  const Napi::FunctionReference& error_class = ModuleState::of(env).error_class;
  if (!error_class.IsEmpty()) return error_class.New({name, Napi::String::New(env, message)});
  const Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", name);
  return error.Value();
}

}  // namespace

Napi::Value js_error(Napi::Env env, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Napi::Error& error) {
    return error.Value();
  } catch (const Error& error) {
    return coded_error(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return coded_error(env, ErrorCode::kOutOfMemory, "not enough memory for this operation");
  } catch (const std::exception& error) {
    return coded_error(env, ErrorCode::kInternal, error.what());
  } catch (...) {
    return coded_error(env, ErrorCode::kInternal, "an unknown native exception");
  }
}

}  // namespace msn::addon
