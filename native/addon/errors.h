// Native exceptions as JavaScript errors: MakeSomeNoiseError with the same code.
#pragma once
#include <napi.h>

#include <exception>

namespace msn::addon {

// The error object for what was thrown: msn::Error keeps its code, std::bad_alloc is ERR_OUT_OF_MEMORY, a
// JavaScript exception stays what it is, and anything else is ERR_INTERNAL.
Napi::Value js_error(Napi::Env env, const std::exception_ptr& failure);

// Runs `body` for a function that answers at once: whatever it throws is thrown in JavaScript.
template <class Body>
Napi::Value guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, js_error(env, std::current_exception()));
  }
}

// Runs `body` for a function that returns a promise: whatever it throws becomes the rejection.
template <class Body>
Napi::Value promised(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (...) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(js_error(env, std::current_exception()));
    return deferred.Promise();
  }
}

}  // namespace msn::addon
