// What operations see of memory: a pointer into a backend's memory, a dtype and a shape.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/error.h"

namespace msn {

enum class Dtype : uint8_t { kF64, kF32, kBf16, kF16, kI32, kI8, kU8 };

constexpr int64_t dtype_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF64:
      return 8;
    case Dtype::kF32:
    case Dtype::kI32:
      return 4;
    case Dtype::kBf16:
    case Dtype::kF16:
      return 2;
    case Dtype::kI8:
    case Dtype::kU8:
      return 1;
  }
  return 0;
}
const char* dtype_name(Dtype dtype);  // "F32", as in safetensors

// Memory of a backend. The owner frees it through the backend that allocated it.
class Buffer {
 public:
  // owner: whose memory it is, for allocators that have to know; must outlive the buffer. Must not throw.
  using Deleter = void (*)(void* owner, void* data, int64_t bytes);
  Buffer() = default;
  Buffer(void* data, int64_t bytes, Deleter deleter, void* owner = nullptr)
      : data_(data), bytes_(bytes), deleter_(deleter), owner_(owner) {}
  ~Buffer() { reset(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      swap(other);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void reset() {
    if (data_ != nullptr) deleter_(owner_, data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(deleter_, other.deleter_);
    std::swap(owner_, other.owner_);
  }
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  Deleter deleter_ = nullptr;
  void* owner_ = nullptr;
};

// A view, contiguous, row-major, not owning. An empty tensor (data == nullptr) stands for "none".
struct Tensor {
  void* data = nullptr;
  Dtype dtype = Dtype::kF32;
  int rank = 0;
  std::array<int64_t, 4> shape{};

  Tensor() = default;
  Tensor(void* memory, Dtype type, std::initializer_list<int64_t> dimensions)
      : data(memory), dtype(type), rank(static_cast<int>(dimensions.size())) {
    int axis = 0;
    for (int64_t size : dimensions) shape[axis++] = size;
  }
  explicit operator bool() const { return data != nullptr; }
  int64_t elements() const {
    int64_t count = 1;
    for (int axis = 0; axis < rank; ++axis) count *= shape[axis];
    return count;
  }
  int64_t bytes() const { return elements() * dtype_size(dtype); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  const float* f32() const { return as<const float>(); }
  float* mutable_f32() const { return as<float>(); }
  const int32_t* i32() const { return as<const int32_t>(); }
};

// A matrix [outputs, inputs] in the layout its backend multiplies with; opaque to everyone else.
struct WeightMatrix {
  Buffer storage;
  Dtype dtype = Dtype::kF32;  // of the stored values: kF32, kBf16, or kI8 with an f32 scale for every row
  int64_t outputs = 0;
  int64_t inputs = 0;
};

// The shape checks at the operation boundary. `name` is "operation.argument".
void check_tensor(const Tensor& tensor, Dtype dtype, std::initializer_list<int64_t> shape, const char* name);
void check(bool condition, const std::string& message, const char* operation);
void check(bool condition, const char* message, const char* operation);  // a literal costs no allocation

}  // namespace msn
