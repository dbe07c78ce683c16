// The way from ordinary host memory to the device: through page-locked memory, so that the caller's memory is
// free again at once and the copy runs beside the host's next piece of work.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "backend/cuda/cuda_stream.h"

namespace msn {

class CudaStaging {
 public:
  CudaStaging(const CudaDevice& device, const CudaStream& stream) : device_(device), stream_(stream) {}

  // Writes items first .. first + count - 1 to `host`.
  using Fill = std::function<void(std::byte* host, int64_t first, int64_t count)>;
  // Enqueues the upload of `count` items of `item_bytes` each to `device`, filled a piece at a time.
  void upload(void* device, int64_t count, int64_t item_bytes, const Fill& fill);
  void upload(void* device, const void* host, int64_t bytes);

 private:
  // Segments are used in turn; each is free again when its event has passed.
  struct Segment {
    Segment(const CudaDevice& device, int64_t bytes) : memory(device.allocate_pinned(bytes)), done(device) {}
    Buffer memory;
    CudaEvent done;
  };
  void prepare(int64_t item_bytes);
  void next_segment();

  const CudaDevice& device_;
  const CudaStream& stream_;
  std::vector<std::unique_ptr<Segment>> segments_;
  size_t current_ = 0;
  int64_t used_bytes_ = 0;  // of the current segment
};

}  // namespace msn
