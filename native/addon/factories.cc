// loadModel, createModel and createTrainer.
#include "addon/factories.h"

#include <memory>
#include <utility>

#include "addon/arguments.h"
#include "addon/cancel_object.h"
#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/model_object.h"
#include "addon/module_state.h"
#include "addon/trainer_object.h"
#include "model/model_tensors.h"

namespace msn::addon {
namespace {

using ResidentModel = std::shared_ptr<Resident<Model>>;
using ResidentTrainer = std::shared_ptr<Resident<Trainer>>;
using Progress = std::function<void(int64_t done, int64_t total)>;

// What a model of any origin needs.
struct ModelPlan {
  ModelShape shape;
  DtypeRequest dtype = Dtype::kF32;
  BackendOptions device;
  std::shared_ptr<JobQueue> queue = std::make_shared<JobQueue>();
};

ResidentModel make_model(const ModelPlan& plan, TensorSource& source, const Progress& progress,
                         const CancelToken& cancel) {
  auto resident = std::make_shared<Resident<Model>>();
  resident->queue = plan.queue;
  const std::shared_ptr<Backend> backend = make_backend(plan.device, &resident->device_reason);
  resident->object = std::make_unique<Model>(backend, plan.shape, source, plan.dtype, progress, cancel);
  resident->bytes = resident->object->weight_bytes();
  return resident;
}

}  // namespace

Napi::Value load_model(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] {
    ModelPlan plan;
    plan.shape = read_model_shape(info[0], "shape");
    std::vector<TensorEntry> entries = read_tensor_entries(info[1], "tensors");
    plan.dtype = read_dtype(info[2], "dtype");
    plan.device = read_device_options(info[3], "device");
    const bool watched = !info[4].IsUndefined();
    std::vector<Napi::Function> callbacks;
    if (watched) callbacks.push_back(read_function(info[4], "onProgress"));
    const auto queue = plan.queue;
    return ModuleState::of(info.Env())
        .loop->run(
            queue, read_cancel_token(info[5]),
            [plan = std::move(plan), entries = std::move(entries), watched](Job& job) mutable {
              MappedTensors source(std::move(entries));
              Progress progress;
              if (watched)
                progress = [&job](int64_t done, int64_t total) {
                  job.emit([done, total](Napi::Env env, const auto& functions) {
                    functions[0].Call({Napi::Number::New(env, static_cast<double>(done)),
                                       Napi::Number::New(env, static_cast<double>(total))});
                  });
                };
              return make_model(plan, source, progress, job.cancel());
            },
            ModelObject::create, callbacks);
  });
}

Napi::Value create_model(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] {
    ModelPlan plan;
    plan.shape = read_model_shape(info[0], "shape");
    const auto seed = static_cast<uint64_t>(read_integer(info[1], "seed", 0, kMaxSafeInteger));
    const double range = read_number(info[2], "initializerRange");
    plan.dtype = read_dtype(info[3], "dtype");
    plan.device = read_device_options(info[4], "device");
    const auto queue = plan.queue;
    return ModuleState::of(info.Env())
        .loop->run(
            queue, read_cancel_token(info[5]),
            [plan = std::move(plan), seed, range](Job& job) {
              RandomTensors source(plan.shape, seed, range);
              return make_model(plan, source, nullptr, job.cancel());
            },
            ModelObject::create);
  });
}

// From a model, its weights are read as a job of that model's engine; the trainer gets an engine of its own.
Napi::Value create_trainer(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] {
    const ModelShape shape = read_model_shape(info[0], "shape");
    std::vector<TensorEntry> entries = read_tensor_entries(info[1], "tensors");
    const ResidentModel model = info[2].IsUndefined() ? nullptr : read_model(info[2], "model");
    if (entries.empty() == (model == nullptr))
      throw Error(ErrorCode::kInvalidArgument, "expected either tensors or a model", "tensors");
    const TrainerOptions options = read_trainer_options(info[3], "options");
    const BackendOptions device = read_device_options(info[4], "device");
    auto own_queue = std::make_shared<JobQueue>();
    const std::shared_ptr<JobQueue> queue = model ? model->queue : own_queue;
    return ModuleState::of(info.Env())
        .loop->run(
            queue, read_cancel_token(info[5]),
            [=, entries = std::move(entries)](Job&) mutable -> ResidentTrainer {
              auto resident = std::make_shared<Resident<Trainer>>();
              resident->queue = own_queue;
              const std::shared_ptr<Backend> backend = make_backend(device, &resident->device_reason);
              std::unique_ptr<TensorSource> weights;
              if (model)
                weights = std::make_unique<ModelTensors>(*model->object);
              else
                weights = std::make_unique<MappedTensors>(std::move(entries));
              resident->object = std::make_unique<Trainer>(backend, shape, *weights, options);
              resident->bytes = resident->object->state_bytes();
              return resident;
            },
            TrainerObject::create);
  });
}

}  // namespace msn::addon
