// Saves tensors of a source to a safetensors file.
#include "runtime/tensor_export.h"

#include <algorithm>
#include <span>
#include <unordered_map>

#include "ops/float_values.h"
#include "runtime/tensor_file.h"

namespace msn {
namespace {

// Tensors one after another in the dtype of a file.
class Writable {
 public:
  explicit Writable(Dtype dtype) : dtype_(dtype) {}
  // Valid until the next call, or as long as the tensor where nothing has to be converted.
  std::span<const uint8_t> bytes(const Tensor& tensor) {
    if (tensor.dtype == dtype_) return bytes_of(tensor.data, tensor.bytes());
    values_.resize(static_cast<size_t>(tensor.elements()));
    read_as_f32(tensor, values_.data());
    if (dtype_ == Dtype::kF32) return bytes_of(values_.data(), tensor.elements() * dtype_size(Dtype::kF32));
    rounded_.resize(values_.size());
    std::transform(values_.begin(), values_.end(), rounded_.begin(), bf16_bits);
    return bytes_of(rounded_.data(), tensor.elements() * dtype_size(Dtype::kBf16));
  }

 private:
  static std::span<const uint8_t> bytes_of(const void* data, int64_t bytes) {
    return {static_cast<const uint8_t*>(data), static_cast<size_t>(bytes)};
  }
  Dtype dtype_;
  std::vector<float> values_;
  std::vector<uint16_t> rounded_;
};

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
  Writable writable(request.dtype);
  write_tensor_file(
      request.path, request.header, static_cast<int64_t>(chosen.size()),
      [&](int64_t index) {
        source.release();  // a trainer's tensors are copies in host memory: one at a time
        return writable.bytes(source.tensor(*chosen[index]));
      },
      cancel);
}

}  // namespace msn
