// Keys and values of the tokens seen so far, per layer [kv_heads, capacity, head_dim]; grows as it is used.
#pragma once
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"

namespace msn {

class KvCache {
 public:
  KvCache(Backend& backend, const ModelShape& shape);
  // Makes room for `rows` rows (doubling), keeping what is there. Throws ERR_OUT_OF_MEMORY.
  void reserve(int64_t rows);
  int64_t capacity() const { return capacity_; }
  int64_t length() const { return length_; }                      // rows that hold accepted tokens
  void set_length(int64_t length);                                // also writes the device copy
  void adopt_length(int64_t length) { length_ = length; }         // to which the device has set its copy
  const Tensor& device_length() const { return device_length_; }  // i32 [1]
  Tensor keys(int64_t layer) const;  // activations [kv_heads, capacity, head_dim]
  Tensor values(int64_t layer) const;
  // activations [layers * 2 * kv_heads, capacity, head_dim]: of every layer the keys, then the values.
  Tensor all() const;
  // Keeps rows length + nodes[j] as rows length + j, drops the rest, and sets length += nodes.size().
  void keep(std::span<const int32_t> nodes);  // ascending
  int64_t bytes() const;

 private:
  int64_t row_bytes() const;

  Backend& backend_;
  const ModelShape shape_;
  const Dtype dtype_;
  int64_t capacity_ = 0;
  int64_t length_ = 0;
  Buffer storage_;
  Buffer length_storage_;
  Tensor device_length_;
  Buffer sources_storage_;        // i32, the argument of keep() on the device
  std::vector<int32_t> sources_;  // and on the host
};

}  // namespace msn
