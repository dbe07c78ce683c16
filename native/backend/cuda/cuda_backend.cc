// Memory, streams and graphs of the CUDA engine.
#include "backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cstring>

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
    functions.synchronize(stream_->get());  // a graph that runs must not go
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

}  // namespace

CudaBackend::CudaBackend(CudaDevice& device)
    : device_(device), stream_(std::make_shared<CudaStream>(device)), staging_(device, *stream_) {}

CudaBackend::~CudaBackend() {
  // What is on its way may use memory that is given back next. A lost device waits for nothing.
  module().device.select(device_.index());
  module().device.synchronize(stream_->get());
}

void CudaBackend::refuse_unmapped(const char* operation) const {
  throw Error(ErrorCode::kUnsupported, "the CUDA engine has no such operation", operation);
}

DeviceInfo CudaBackend::info() const {
  return {.kind = device_.kind(),
          .name = device_.name(),
          .compute_capability = device_.compute_capability(),
          .shim = module().is_shim,
          .memory_bytes = device_.memory_bytes(),
          .free_bytes = device_.free_bytes()};
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
  Buffer buffer = device_.allocate(bytes);
  fill_zero(buffer.data(), bytes);
  return buffer;
}

Buffer CudaBackend::allocate_pinned(int64_t bytes) {
  refuse_capture("allocating page-locked memory");
  Buffer buffer = device_.allocate_pinned(bytes);
  if (bytes > 0) std::memset(buffer.data(), 0, static_cast<size_t>(bytes));
  return buffer;
}

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
  return std::make_unique<GraphRecording>(device_, stream_, graph);
}

}  // namespace msn
