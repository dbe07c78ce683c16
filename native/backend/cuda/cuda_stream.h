// A stream and its events, owned.
#pragma once
#include "backend/cuda/cuda_device.h"

namespace msn {

class CudaStream {
 public:
  explicit CudaStream(const CudaDevice& device) : device_(device) {
    device.select();
    device.check(device.functions().device.create_stream(&stream_), "creating a stream");
  }
  ~CudaStream() {
    const kernels::DeviceFunctions& functions = device_.functions().device;
    functions.select(device_.index());
    functions.synchronize(stream_);  // nothing that is on its way may touch memory that is freed next
    functions.destroy_stream(stream_);
  }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  kernels::Stream get() const { return stream_; }

 private:
  const CudaDevice& device_;
  kernels::Stream stream_ = nullptr;
};

class CudaEvent {
 public:
  explicit CudaEvent(const CudaDevice& device) : device_(device) {
    device.select();
    device.check(device.functions().device.create_event(&event_), "creating an event");
  }
  ~CudaEvent() {
    const kernels::DeviceFunctions& functions = device_.functions().device;
    functions.select(device_.index());
    functions.destroy_event(event_);
  }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record(const CudaStream& stream) {
    device_.select();
    device_.check(device_.functions().device.record_event(event_, stream.get()), "recording an event");
    recorded_ = true;
  }
  // On the host, until what was enqueued before the last record() is done; at once without one.
  void wait() {
    if (!recorded_) return;
    device_.select();
    device_.check(device_.functions().device.wait_for_event(event_), "waiting for the device");
    recorded_ = false;
  }

 private:
  const CudaDevice& device_;
  void* event_ = nullptr;
  bool recorded_ = false;
};

}  // namespace msn
