// The structs of ts/native/contract.ts as the engine's plain structs, and back.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/cuda_report.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"
#include "runtime/decoding.h"
#include "runtime/denoising.h"
#include "runtime/draft_tree.h"
#include "runtime/tensor_export.h"
#include "runtime/trainer.h"

namespace msn::addon {

ModelShape read_model_shape(const Napi::Value& value, const std::string& name);
std::vector<TensorEntry> read_tensor_entries(const Napi::Value& value, const std::string& name);
BackendOptions read_device_options(const Napi::Value& value, const std::string& name);
// 'f32' | 'bf16' | 'int8', or 'stored-f32' | 'stored-bf16': what is natural for weights stored like that.
DtypeRequest read_dtype(const Napi::Value& value, const std::string& name);
const char* dtype_label(Dtype dtype);  // 'f32' | 'bf16' | 'int8'
GenerationRequest read_generation_request(const Napi::Value& value, const std::string& name);
DenoisingRequest read_denoising_request(const Napi::Value& value, const std::string& name);
MicroBatch read_micro_batch(const Napi::Value& value, const std::string& name);
NoiseOptions read_noise_options(const Napi::Value& value, const std::string& name);
TrainerOptions read_trainer_options(const Napi::Value& value, const std::string& name);
TrainingTensors read_training_tensors(const Napi::Value& value, const std::string& name);
// Four arguments from `first` on: path, header, names, dtype.
TensorExport read_tensor_export(const Napi::CallbackInfo& info, size_t first);

Napi::Int32Array int32_array(Napi::Env env, const std::vector<int32_t>& values);
Napi::Float32Array float32_array(Napi::Env env, const std::vector<float>& values);
Napi::Float64Array float64_array(Napi::Env env, const std::vector<double>& values);
Napi::Object device_info(Napi::Env env, const DeviceInfo& info, const std::string& reason);
Napi::Object cuda_report(Napi::Env env, const CudaReport& report);
Napi::Array tensor_spec_list(Napi::Env env, const ModelShape& shape);
// Path i is pathColumns[pathOffsets[i] .. pathOffsets[i + 1]).
Napi::Object draft_path_lists(Napi::Env env, const std::vector<DraftPath>& paths);
Napi::Object decoding_step(Napi::Env env, const DecodingStep& step, double milliseconds);
Napi::Object denoising_result(Napi::Env env, const DenoisingResult& result);
Napi::Object training_step(Napi::Env env, const TrainingStep& step, double milliseconds);
Napi::Object evaluation(Napi::Env env, const EvaluationSums& sums);

}  // namespace msn::addon
