// Shows native parts to jest. A test passes typed arrays; operations read and write them in place, since the
// CPU backend's memory is host memory.
#pragma once
#include <napi.h>

#include <functional>
#include <string>

#include "backend/backend.h"
#include "base/sampling_options.h"
#include "ops/tensor.h"

namespace msn::testing {

using Function = std::function<Napi::Value(const Napi::CallbackInfo&)>;

// A file of this folder registers what it shows with a static object of this type.
struct Register {
  Register(const char* name, Function function);
};

// args[name] = { data: typed array, shape: number[] }. A missing optional tensor is empty.
Tensor tensor(const Napi::Object& args, const char* name);
Tensor optional_tensor(const Napi::Object& args, const char* name);
double number(const Napi::Object& args, const char* name, double fallback = 0);
bool boolean(const Napi::Object& args, const char* name, bool fallback = false);
std::string string(const Napi::Object& args, const char* name, const char* fallback = "");
// args.temperature, .topK, .topP, .minP, .repetitionPenalty and .seed.
SamplingOptions sampling_options(const Napi::Object& args);

// A backend for args.device ('cpu'), args.instructions ('generic', 'avx2', 'avx512', '' for the best),
// args.threads (1) and args.activations ('bf16': training operations of the CPU round theirs), made once for
// each and kept. Typed arrays are memory of the CPU alone.
const std::shared_ptr<Backend>& backend(const Napi::Object& args);

// The function that runs the operation whose arguments `read` takes from its one argument.
template <class Args>
Function runner(Args (*read)(const Napi::Object&)) {
  return [read](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto args = info[0].As<Napi::Object>();
    backend(args)->run(read(args));
    return info.Env().Undefined();
  };
}

}  // namespace msn::testing
