// Reads model shapes and tensor tables of ts/native/contract.ts from JavaScript, for the files of this
// folder.
#pragma once
#include <napi.h>

#include <memory>
#include <vector>

#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn::testing {

ModelShape model_shape(const Napi::Object& shape);                 // NativeModelShape
TensorSpec tensor_spec(const Napi::Object& spec);                  // NativeTensorSpec
std::vector<TensorEntry> tensor_entries(const Napi::Array& rows);  // NativeTensorEntry[]
// Files when args.tensors is given, else random weights of args.seed and args.initializerRange (0.02).
std::unique_ptr<TensorSource> tensor_source(const Napi::Object& args, const ModelShape& shape);

}  // namespace msn::testing
