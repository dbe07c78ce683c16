// Memory, streams and graphs of the CUDA engine.
#include "backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/cuda_choice.h"

namespace msn {
namespace {

constexpr int64_t kScratchBytes = int64_t{128} << 20;
constexpr int64_t kLeastScratchBytes = int64_t{8} << 20;

// The recorded operations as one graph.
class GraphRecording final : public Recording {
 public:
  GraphRecording(const CudaDevice& device, std::shared_ptr<CudaStream> stream, void* graph)
      : device_(device), stream_(std::move(stream)), graph_(graph) {}
  ~GraphRecording() override {
    const kernels::DeviceFunctions& functions = device_.functions().device;
    functions.select(device_.index());
    functions.destroy_graph(graph_);
  }
  void replay() override {
    device_.select();
    device_.check(device_.functions().device.launch_graph(graph_, stream_->get()), "replaying a recording");
  }

 private:
  const CudaDevice& device_;
  const std::shared_ptr<CudaStream> stream_;
  void* const graph_;
};

class StreamEvent final : public Event {
 public:
  StreamEvent(const CudaDevice& device, std::shared_ptr<CudaStream> stream)
      : stream_(std::move(stream)), event_(device) {}
  void record() override { event_.record(*stream_); }
  void wait() override { event_.wait(); }

 private:
  const std::shared_ptr<CudaStream> stream_;
  CudaEvent event_;
};

}  // namespace

CudaBackend::CudaBackend(CudaDevice& device, const CudaBackendOptions& options)
    : device_(device),
      options_(options),
      stream_(std::make_shared<CudaStream>(device)),
      staging_(device, *stream_) {}

CudaBackend::~CudaBackend() {
  // What is on its way may use memory that is given back next. A lost device waits for nothing.
  module().device.select(device_.index());
  module().device.synchronize(stream_->get());
}

DeviceInfo CudaBackend::info() const {
  DeviceInfo info = describe_cuda_device(device_);
  info.threads = options_.threads;
  return info;
}

Dtype CudaBackend::weight_dtype(const DtypeRequest& request) const {
  if (request.dtype == Dtype::kBf16 || (request.dtype == Dtype::kI8 && request.required))
    return request.dtype;
  if (!request.required) return Dtype::kBf16;
  throw Error(ErrorCode::kUnsupported,
              std::string("the CUDA engine computes with BF16 or int8 weights, not with ") +
                  dtype_name(request.dtype) +
                  ": its matrix instructions multiply bf16. Use 'auto', 'bf16' or 'int8', or device 'cpu'",
              "dtype");
}

const kernels::Launch& CudaBackend::launch() {
  if (scratch_.data() == nullptr) {
    refuse_capture("allocating scratch memory");
    const int64_t share = device_.memory_bytes() / 64 / 256 * 256;
    tickets_ = allocate(kernels::kTickets * static_cast<int64_t>(sizeof(uint32_t)));
    scratch_ = allocate(std::clamp(share, kLeastScratchBytes, kScratchBytes));
    launch_ = {.stream = stream_->get(),
               .device = &device_.facts(),
               .scratch = scratch_.data(),
               .scratch_bytes = scratch_.bytes(),
               .tickets = static_cast<uint32_t*>(tickets_.data())};
  }
  return launch_;
}

void CudaBackend::refuse_capture(const char* action) const {
  if (capturing_)
    throw Error(ErrorCode::kInternal, std::string(action) + " is not possible while a step is recorded",
                device_.kind());
}

Buffer CudaBackend::allocate(int64_t bytes) {
  refuse_capture("allocating device memory");
  try {
    Buffer buffer = device_.allocate(bytes);
    fill_zero(buffer.data(), bytes);
    return buffer;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory || !options_.chosen_automatically) throw;
    throw Error(ErrorCode::kOutOfMemory,
                std::string(error.what()) + ". device 'auto' chose it and takes no other in its place");
  }
}

Buffer CudaBackend::allocate_pinned(int64_t bytes) {
  refuse_capture("allocating page-locked memory");
  Buffer buffer = device_.allocate_pinned(bytes);
  if (bytes > 0) std::memset(buffer.data(), 0, static_cast<size_t>(bytes));
  return buffer;
}

std::unique_ptr<Event> CudaBackend::make_event() { return std::make_unique<StreamEvent>(device_, stream_); }

void CudaBackend::copy_from_host(void* device, const void* host, int64_t bytes) {
  refuse_capture("copying from the host");
  staging_.upload(device, host, bytes);
}

void CudaBackend::copy_to_host(void* host, const void* device, int64_t bytes) {
  refuse_capture("copying to the host");
  if (bytes <= 0) return;
  device_.select();
  device_.check(module().device.copy_to_host(host, device, bytes, stream_->get()), "copying to the host");
  device_.check(module().device.synchronize(stream_->get()), "waiting for a copy to the host");
}

void CudaBackend::copy(void* destination, const void* source, int64_t bytes) {
  if (bytes <= 0) return;
  device_.select();
  device_.check(module().device.copy(destination, source, bytes, stream_->get()), "copying on the device");
}

void CudaBackend::fill_zero(void* device, int64_t bytes) {
  if (bytes <= 0) return;
  device_.select();
  device_.check(module().device.fill(device, 0, bytes, stream_->get()), "clearing device memory");
}

void CudaBackend::synchronize() {
  refuse_capture("waiting for the device");
  device_.select();
  device_.check(module().device.synchronize(stream_->get()), "waiting for the device");
}

std::unique_ptr<Recording> CudaBackend::capture(const std::function<void()>& enqueue) {
  refuse_capture("recording");
  launch();
  const kernels::DeviceFunctions& functions = module().device;
  device_.select();
  device_.check(functions.begin_capture(stream_->get()), "beginning to record");
  capturing_ = true;
  try {
    enqueue();
  } catch (...) {
    capturing_ = false;
    functions.end_capture(stream_->get(), nullptr);
    throw;
  }
  capturing_ = false;
  void* graph = nullptr;
  device_.check(functions.end_capture(stream_->get(), &graph), "ending to record");
  ++captures_;
  return std::make_unique<GraphRecording>(device_, stream_, graph);
}

}  // namespace msn
