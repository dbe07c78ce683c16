// Names of dtypes, and the checks at the operation boundary.
#include "ops/tensor.h"

namespace msn {
namespace {

template <class Sizes>
std::string describe(Dtype dtype, const Sizes& sizes, int rank) {
  std::string text = std::string(dtype_name(dtype)) + " [";
  int axis = 0;
  for (const int64_t size : sizes) {
    if (axis == rank) break;
    if (axis++ > 0) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

bool same_shape(const Tensor& tensor, std::initializer_list<int64_t> shape) {
  if (tensor.rank != static_cast<int>(shape.size())) return false;
  int axis = 0;
  for (const int64_t size : shape)
    if (tensor.shape[axis++] != size) return false;
  return true;
}

}  // namespace

const char* dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF64:
      return "F64";
    case Dtype::kF32:
      return "F32";
    case Dtype::kBf16:
      return "BF16";
    case Dtype::kF16:
      return "F16";
    case Dtype::kI32:
      return "I32";
    case Dtype::kI8:
      return "I8";
    case Dtype::kU8:
      break;
  }
  return "U8";
}

void check_tensor(const Tensor& tensor, Dtype dtype, std::initializer_list<int64_t> shape, const char* name) {
  const bool present = static_cast<bool>(tensor);
  if (present && tensor.dtype == dtype && same_shape(tensor, shape)) return;
  const std::string received = present ? describe(tensor.dtype, tensor.shape, tensor.rank) : "none";
  const std::string expected = describe(dtype, shape, static_cast<int>(shape.size()));
  throw Error(ErrorCode::kInvalidArgument, "expected " + expected + ", received " + received, name);
}

void check(bool condition, const char* message, const char* operation) {
  if (!condition) throw Error(ErrorCode::kInvalidArgument, message, operation);
}

void check(bool condition, const std::string& message, const char* operation) {
  check(condition, message.c_str(), operation);
}

}  // namespace msn
