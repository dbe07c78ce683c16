// One allocation: layer by layer the keys, then the values, each [kv_heads, capacity, head_dim].
#include "model/kv_cache.h"

#include <algorithm>

#include "ops/kv_compact.h"

namespace msn {
namespace {

constexpr int64_t kFirstRows = 64;

}  // namespace

KvCache::KvCache(Backend& backend, const ModelShape& shape)
    : backend_(backend),
      shape_(shape),
      dtype_(backend.traits().activations),
      length_storage_(backend.allocate(dtype_size(Dtype::kI32))),
      device_length_(length_storage_.data(), Dtype::kI32, {1}) {}

void KvCache::reserve(int64_t rows) {
  if (rows <= capacity_) return;
  // Doubled, so that a token costs its share of the copies once; beyond the context only what is asked for.
  const int64_t grown = std::max({rows, std::min(2 * capacity_, shape_.context_length), kFirstRows});
  const int64_t blocks = 2 * shape_.layers * shape_.kv_heads;
  if (length_ == 0) {  // nothing to keep: the memory of both is never held at once
    storage_ = {};
    capacity_ = 0;
  }
  Buffer storage = backend_.allocate(blocks * grown * row_bytes());
  for (int64_t block = 0; block < blocks && length_ > 0; ++block)
    backend_.copy(static_cast<std::byte*>(storage.data()) + block * grown * row_bytes(),
                  static_cast<const std::byte*>(storage_.data()) + block * capacity_ * row_bytes(),
                  length_ * row_bytes());
  backend_.synchronize();
  storage_ = std::move(storage);
  capacity_ = grown;
}

void KvCache::set_length(int64_t length) {
  length_ = length;
  const int32_t value = static_cast<int32_t>(length);
  backend_.copy_from_host(device_length_.data, &value, sizeof value);
}

Tensor KvCache::keys(int64_t layer) const {
  const int64_t layer_bytes = shape_.kv_heads * capacity_ * row_bytes();
  return Tensor(static_cast<std::byte*>(storage_.data()) + 2 * layer * layer_bytes, dtype_,
                {shape_.kv_heads, capacity_, shape_.head_dim});
}

Tensor KvCache::all() const {
  return Tensor(storage_.data(), dtype_, {2 * shape_.layers * shape_.kv_heads, capacity_, shape_.head_dim});
}

Tensor KvCache::values(int64_t layer) const {
  Tensor tensor = keys(layer);
  tensor.data = static_cast<std::byte*>(tensor.data) + tensor.bytes();
  return tensor;
}

void KvCache::keep(std::span<const int32_t> nodes) {
  const int64_t count = static_cast<int64_t>(nodes.size());
  bool in_place = true;
  for (int64_t j = 0; j < count; ++j) in_place &= nodes[j] == j;
  if (!in_place) {
    sources_.resize(count);
    for (int64_t j = 0; j < count; ++j) sources_[j] = static_cast<int32_t>(length_) + nodes[j];
    const int64_t bytes = count * dtype_size(Dtype::kI32);
    if (sources_storage_.bytes() < bytes) sources_storage_ = backend_.allocate(2 * bytes);
    backend_.copy_from_host(sources_storage_.data(), sources_.data(), bytes);
    KvCompact compact;
    compact.cache = all();
    compact.sources = Tensor(sources_storage_.data(), Dtype::kI32, {count});
    compact.first_row = device_length_;
    backend_.run(compact);
  }
  set_length(length_ + count);
}

int64_t KvCache::row_bytes() const { return shape_.head_dim * dtype_size(dtype_); }

int64_t KvCache::bytes() const { return storage_.bytes(); }

}  // namespace msn
