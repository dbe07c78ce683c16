// The addon's exports: NativeModule of ts/native/contract.ts.
#include <napi.h>

#include <memory>

#include "addon/arguments.h"
#include "addon/cancel_object.h"
#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/factories.h"
#include "addon/model_object.h"
#include "addon/module_state.h"
#include "addon/trainer_object.h"
#include "ops/noise.h"
#include "runtime/draft_tree.h"

namespace msn::addon {
namespace {

Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  ModuleState::of(info.Env()).error_class = Napi::Persistent(read_function(info[0], "errorClass"));
  return info.Env().Undefined();
}

Napi::Value create_cancel_token(const Napi::CallbackInfo& info) {
  return ModuleState::of(info.Env()).cancel_token_class.New({});
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  read_cancel_token(info[0], "token")->cancel();
  return info.Env().Undefined();
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (const DeviceListing& device : list_devices()) {
    Napi::Object object = device_info(info.Env(), device.info, device.reason);
    object.Set("available", device.available);
    list.Set(count++, object);
  }
  return list;
}

Napi::Value cuda(const Napi::CallbackInfo& info) { return cuda_report(info.Env(), report_cuda()); }

std::vector<DraftPath> named_paths(const std::string& kind, int32_t nodes, int32_t depth, int32_t width) {
  if (kind == "paper") return paper_paths(depth, width);
  if (kind == "nodes") return node_paths(nodes, depth, width);
  if (kind == "chain") return chain_paths(depth);
  throw Error(ErrorCode::kInvalidArgument, "expected 'paper' | 'nodes' | 'chain', received '" + kind + "'",
              "kind");
}

Napi::Value draft_paths(const Napi::CallbackInfo& info) {
  const auto size = [&info](size_t index, const char* name, int32_t max) {
    return static_cast<int32_t>(read_integer(info[index], name, 0, max));
  };
  return draft_path_lists(info.Env(),
                          named_paths(read_string(info[0], "kind"), size(1, "nodes", kMostDraftNodes),
                                      size(2, "depth", kDeepestDraft), size(3, "width", kWidestDraft)));
}

Napi::Value noise(const Napi::CallbackInfo& info) {
  MicroBatch batch = read_micro_batch(info[0], "batch");
  const NoiseOptions options = read_noise_options(info[1], "noise");
  const auto tokens = static_cast<int64_t>(batch.tokens.size());
  const auto documents = static_cast<int64_t>(batch.samples.size());
  std::vector<uint8_t> loss_mask(batch.labels.size());
  for (size_t index = 0; index < loss_mask.size(); ++index) loss_mask[index] = batch.labels[index] != -100;
  std::vector<int32_t> noised(batch.tokens);
  NoiseTokens operation;
  operation.tokens = Tensor(batch.tokens.data(), Dtype::kI32, {tokens});
  operation.loss_mask = Tensor(loss_mask.data(), Dtype::kU8, {tokens});
  operation.document_offsets = Tensor(batch.document_offsets.data(), Dtype::kI32, {documents + 1});
  operation.samples = Tensor(batch.samples.data(), Dtype::kI32, {documents});
  operation.seed = options.seed;
  operation.epoch = static_cast<uint32_t>(read_integer(info[2], "epoch", 0, UINT32_MAX));
  operation.kind = options.kind;
  operation.length = options.length;
  operation.segments = options.segments;
  operation.vocabulary = static_cast<int32_t>(read_integer(info[3], "vocabularySize", 1, INT32_MAX));
  operation.noised = Tensor(noised.data(), Dtype::kI32, {tokens});
  if (options.enabled && tokens > 0) {
    // The CPU backend's memory is host memory, and one thread is enough for a preview.
    BackendOptions host;
    host.device = "cpu";
    host.threads = 1;
    make_backend(host, nullptr)->run(operation);
  }
  return int32_array(info.Env(), noised);
}

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

template <Function function>
Napi::Value answering(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return function(info); });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto state = std::make_unique<ModuleState>(env);
  state->cancel_token_class = Napi::Persistent(CancelObject::define(env));
  state->model_class = Napi::Persistent(ModelObject::define(env));
  state->trainer_class = Napi::Persistent(TrainerObject::define(env));
  env.SetInstanceData(state.release());
  const auto add = [&](const char* name, Function function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("setErrorClass", answering<set_error_class>);
  add("createCancelToken", answering<create_cancel_token>);
  add("cancel", answering<cancel>);
  add("devices", answering<devices>);
  add("cuda", answering<cuda>);
  add("draftPaths", answering<draft_paths>);
  add("noise", answering<noise>);
  add("loadModel", load_model);
  add("createModel", create_model);
  add("createTrainer", create_trainer);
  return exports;
}

}  // namespace
}  // namespace msn::addon

using msn::addon::initialize;  // the macro pastes the name
NODE_API_MODULE(makesomenoise, initialize)
