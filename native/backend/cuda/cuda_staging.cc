#include "backend/cuda/cuda_staging.h"

#include <algorithm>
#include <cstring>

namespace msn {
namespace {

constexpr size_t kSegments = 4;
constexpr int64_t kSegmentBytes = int64_t{4} << 20;
constexpr int64_t kAlignment = 64;

}  // namespace

void CudaStaging::prepare(int64_t item_bytes) {
  if (!segments_.empty() && segments_.front()->memory.bytes() >= item_bytes) return;
  if (!segments_.empty())
    segments_[current_]->done.record(stream_);  // copies out of it may be under way, too
  for (const auto& segment : segments_) segment->done.wait();
  segments_.clear();
  const int64_t bytes = std::max(kSegmentBytes, item_bytes);
  for (size_t i = 0; i < kSegments; ++i) segments_.push_back(std::make_unique<Segment>(device_, bytes));
  current_ = 0;
  used_bytes_ = 0;
}

void CudaStaging::next_segment() {
  segments_[current_]->done.record(stream_);
  current_ = (current_ + 1) % segments_.size();
  segments_[current_]->done.wait();
  used_bytes_ = 0;
}

void CudaStaging::upload(void* device, int64_t count, int64_t item_bytes, const Fill& fill) {
  if (count == 0 || item_bytes == 0) return;
  device_.select();
  prepare(item_bytes);
  for (int64_t first = 0; first < count;) {
    if (segments_[current_]->memory.bytes() - used_bytes_ < item_bytes) next_segment();
    const Segment& segment = *segments_[current_];
    const int64_t items = std::min(count - first, (segment.memory.bytes() - used_bytes_) / item_bytes);
    std::byte* const host = static_cast<std::byte*>(segment.memory.data()) + used_bytes_;
    fill(host, first, items);
    const int64_t bytes = items * item_bytes;
    device_.check(device_.functions().device.copy_from_host(
                      static_cast<std::byte*>(device) + first * item_bytes, host, bytes, stream_.get()),
                  "copying to the device");
    used_bytes_ =
        std::min(segment.memory.bytes(), (used_bytes_ + bytes + kAlignment - 1) / kAlignment * kAlignment);
    first += items;
  }
}

void CudaStaging::upload(void* device, const void* host, int64_t bytes) {
  upload(device, bytes, 1, [host](std::byte* staged, int64_t first, int64_t count) {
    std::memcpy(staged, static_cast<const std::byte*>(host) + first, static_cast<size_t>(count));
  });
}

}  // namespace msn
