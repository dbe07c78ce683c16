// Saves tensors of a source to a safetensors file.
#include "runtime/tensor_export.h"

#include <span>
#include <unordered_map>

#include "base/bfloat16.h"
#include "runtime/tensor_file.h"

namespace msn {
namespace {

std::span<const uint8_t> bytes_of(const void* data, int64_t bytes) {
  return {static_cast<const uint8_t*>(data), static_cast<size_t>(bytes)};
}

// The tensor's bytes in `dtype`; `converted` holds them where they had to be converted.
std::span<const uint8_t> in_dtype(const Tensor& tensor, Dtype dtype, std::vector<uint8_t>& converted) {
  if (tensor.dtype == dtype) return bytes_of(tensor.data, tensor.bytes());
  const int64_t elements = tensor.elements();
  converted.resize(static_cast<size_t>(elements * dtype_size(dtype)));
  if (tensor.dtype == Dtype::kF32 && dtype == Dtype::kBf16) {
    auto* destination = reinterpret_cast<uint16_t*>(converted.data());
    for (int64_t index = 0; index < elements; ++index)
      destination[index] = float_to_bfloat16(tensor.f32()[index]);
  } else if (tensor.dtype == Dtype::kBf16 && dtype == Dtype::kF32) {
    auto* destination = reinterpret_cast<float*>(converted.data());
    for (int64_t index = 0; index < elements; ++index)
      destination[index] = bfloat16_to_float(tensor.as<const uint16_t>()[index]);
  } else {
    throw Error(ErrorCode::kInternal,
                std::string("no conversion from ") + dtype_name(tensor.dtype) + " to " + dtype_name(dtype));
  }
  return converted;
}

}  // namespace

void export_tensors(TensorSource& source, const ModelShape& shape, const TensorExport& request,
                    const CancelToken& cancel) {
  std::unordered_map<std::string, TensorSpec> known;
  for (TensorSpec& spec : tensor_specs(shape)) known.emplace(spec.name, spec);
  std::vector<const TensorSpec*> chosen;
  for (const std::string& name : request.names) {
    const auto found = known.find(name);
    if (found == known.end())
      throw Error(ErrorCode::kInvalidArgument, "the model has no tensor \"" + name + "\"", "names");
    chosen.push_back(&found->second);
  }
  std::vector<uint8_t> converted;
  write_tensor_file(
      request.path, request.header, static_cast<int64_t>(chosen.size()),
      [&](int64_t index) { return in_dtype(source.tensor(*chosen[index]), request.dtype, converted); },
      cancel);
}

}  // namespace msn
