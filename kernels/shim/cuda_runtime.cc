// The CUDA runtime's part that the shim plays. Where it differs, it is stricter, or shows what on a device
// only happens now and then:
// - work is done when it is enqueued, or, with MSN_SHIM_LAZY_STREAM=1, not before something waits for it;
// - kernels that are enqueued together overlap as far as programmatic dependent launch allows (work_queue.h);
// - pageable host memory is read when the copy is enqueued, as CUDA does, but written no earlier than the
//   stream gets there, and may not be copied during a capture;
// - a capture's thread may neither allocate nor wait.
#include "kernels/shim/cuda_runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/shim/cuda_shim.h"
#include "kernels/shim/device_memory.h"
#include "kernels/shim/ready_threads.h"
#include "kernels/shim/settings.h"
#include "kernels/shim/streams.h"

namespace {

using msn::kernels::shim::MemoryKind;
using msn::kernels::shim::settings;
using msn::kernels::shim::Settings;
using msn::kernels::shim::Work;

constexpr int kRuntimeVersion = 13000;
constexpr size_t kSharedBytesPerBlock = 232448;  // as on compute capability 9.0

// One lock for everything: the shim's device does one thing at a time.
struct Device {
  std::mutex mutex;
  msn::kernels::shim::DeviceMemory memory;
  std::vector<std::shared_ptr<CUstream_st>> streams;
  std::shared_ptr<CUstream_st> null_stream = std::make_shared<CUstream_st>();
  cudaError_t sticky = cudaSuccess;
  int64_t launches = 0;

  std::shared_ptr<CUstream_st> find(cudaStream_t stream) const {
    if (stream == nullptr) return null_stream;
    for (const auto& candidate : streams)
      if (candidate.get() == stream) return candidate;
    return nullptr;
  }
  void run_kernel(const msn::kernels::shim::Kernel& kernel, msn::kernels::shim::EarlyStart start) {
    const Settings now = settings();
    if (++launches == now.failing_launch)
      sticky = cudaErrorIllegalAddress;
    else
      run_grid(kernel, now, std::move(start));
  }
  void finish(CUstream_st& stream, uint64_t position) {
    while (stream.queue.taken() < position) {
      if (sticky == cudaSuccess) stream.queue.start_early(position, settings());
      auto [work, start] = stream.queue.take();
      if (sticky != cudaSuccess) continue;
      if (work.kernel != nullptr)
        run_kernel(*work.kernel, std::move(start));
      else
        work.call();
    }
  }
  void finish(CUstream_st& stream) { finish(stream, stream.queue.enqueued()); }
  void finish_all() {
    finish(*null_stream);
    for (const auto& stream : streams) finish(*stream);
  }
};

Device& device() {
  static Device* const device = new Device;  // outlives every static that may still free memory
  return *device;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local std::weak_ptr<CUstream_st> capturing;  // by this thread

cudaError_t failed(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

// No driver, no device or a broken one.
cudaError_t device_state() {
  const Settings now = settings();
  if (now.driver_version / 1000 < kRuntimeVersion / 1000) return cudaErrorInsufficientDriver;
  if (now.devices < 1) return cudaErrorNoDevice;
  return device().sticky;
}

// Runs `body` under the lock on a device that works.
template <class Body>
cudaError_t on_device(Body body) {
  const std::lock_guard lock(device().mutex);
  const cudaError_t state = device_state();
  return failed(state == cudaSuccess ? body() : state);
}

cudaError_t refuse_in_capture() {
  const auto stream = capturing.lock();
  if (stream == nullptr || !stream->capturing) return cudaSuccess;
  stream->capture_failed = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t enqueue(cudaStream_t stream, const std::vector<Work>& works) {
  const auto target = device().find(stream);
  if (target == nullptr) return cudaErrorInvalidResourceHandle;
  if (target->capturing) {
    target->captured.insert(target->captured.end(), works.begin(), works.end());
    return cudaSuccess;
  }
  for (const Work& work : works) target->queue.add(work);
  if (!settings().lazy_streams) device().finish(*target);
  return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> call) {
  return enqueue(stream, std::vector<Work>{{nullptr, std::move(call)}});
}

bool has_clusters_of(int blocks) {
  return settings().compute_capability >= 90 && (blocks == 2 || blocks == 4 || blocks == 8);
}

bool on_the_device(const void* memory, size_t bytes) {
  return device().memory.holds(memory, bytes, MemoryKind::kDevice) ||
         device().memory.holds(memory, bytes, MemoryKind::kPinned);
}

}  // namespace

// ---- the device
cudaError_t cudaDriverGetVersion(int* version) {
  *version = settings().driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kRuntimeVersion;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  return on_device([&] {
    *count = settings().devices;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
  return on_device([&] {
    const Settings now = settings();
    if (number < 0 || number >= now.devices) return cudaErrorInvalidDevice;
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "CUDA shim on the CPU");
    properties->totalGlobalMem = static_cast<size_t>(now.memory_bytes);
    properties->sharedMemPerBlockOptin = kSharedBytesPerBlock;
    properties->major = now.compute_capability / 10;
    properties->minor = now.compute_capability % 10;
    properties->multiProcessorCount = now.multiprocessors;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int number) {
  return on_device([&] {
    const Settings now = settings();
    if (number < 0 || number >= now.devices) return cudaErrorInvalidDevice;
    return number < now.busy_devices ? cudaErrorDevicesUnavailable : cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return on_device([&] {
    const int64_t total = settings().memory_bytes;
    *total_bytes = static_cast<size_t>(total);
    *free_bytes = static_cast<size_t>(std::max<int64_t>(total - device().memory.used_bytes(), 0));
    return cudaSuccess;
  });
}

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(device().mutex);
  const cudaError_t error = device().sticky != cudaSuccess ? device().sticky : last_error;
  last_error = cudaSuccess;
  return error;
}

// ---- memory
cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return on_device([&] {
    *memory = nullptr;
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess || bytes == 0) return refused;
    *memory = device().memory.allocate(bytes, MemoryKind::kDevice, settings().memory_bytes);
    return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  return on_device([&] {
    *memory = nullptr;
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess || bytes == 0) return refused;
    *memory = device().memory.allocate(bytes, MemoryKind::kPinned, INT64_MAX);
    return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

namespace {

// Waits for all work, as CUDA does. A broken device keeps its error, but the process gets its memory back.
cudaError_t release_memory(void* memory, MemoryKind kind) {
  if (memory == nullptr) return cudaSuccess;
  const std::lock_guard lock(device().mutex);
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return failed(refused);
  device().finish_all();
  if (!device().memory.release(memory, kind)) return failed(cudaErrorInvalidValue);
  return failed(device().sticky);
}

}  // namespace

cudaError_t cudaFree(void* memory) { return release_memory(memory, MemoryKind::kDevice); }

cudaError_t cudaFreeHost(void* memory) { return release_memory(memory, MemoryKind::kPinned); }

cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return on_device([&] {
    if (bytes == 0) return cudaSuccess;
    const bool to_device = on_the_device(destination, bytes);
    const bool from_device = on_the_device(source, bytes);
    const bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if ((says_to && !to_device) || (says_from && !from_device)) return cudaErrorInvalidValue;
    if (!to_device || !from_device)
      if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    if (from_device)
      return enqueue(stream, [destination, source, bytes] { std::memmove(destination, source, bytes); });
    const auto* const begin = static_cast<const unsigned char*>(source);
    const auto staged = std::make_shared<std::vector<unsigned char>>(begin, begin + bytes);
    return enqueue(stream,
                   [destination, staged] { std::memcpy(destination, staged->data(), staged->size()); });
  });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return on_device([&] {
    if (bytes == 0) return cudaSuccess;
    if (!on_the_device(memory, bytes)) return cudaErrorInvalidValue;
    return enqueue(stream, [=] { std::memset(memory, value, bytes); });
  });
}

// ---- streams and events
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return on_device([&] {
    device().streams.push_back(std::make_shared<CUstream_st>());
    *stream = device().streams.back().get();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(device().mutex);
  const auto found = device().find(stream);
  if (found == nullptr || stream == nullptr) return failed(cudaErrorInvalidResourceHandle);
  device().finish(*found);
  std::erase(device().streams, found);
  return failed(device().sticky);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return on_device([&] {
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    const auto found = device().find(stream);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    device().finish(*found);
    return device().sticky;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return on_device([&] {
    *event = new CUevent_st;
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return on_device([&] {
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    const auto found = device().find(stream);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    *event = {found, found->queue.enqueued()};
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return on_device([&] {
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    if (const auto stream = event->stream.lock()) device().finish(*stream, event->position);
    return device().sticky;
  });
}

// ---- graphs
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  return on_device([&] {
    const auto found = device().find(stream);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream == nullptr || found->capturing) return cudaErrorStreamCaptureUnsupported;
    found->capturing = true;
    found->capture_failed = false;
    found->captured.clear();
    capturing = found;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  return on_device([&] {
    const auto found = device().find(stream);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    if (!found->capturing) return cudaErrorInvalidValue;
    found->capturing = false;
    capturing.reset();
    std::vector<Work> work = std::exchange(found->captured, {});
    if (found->capture_failed) return cudaErrorStreamCaptureInvalidated;
    *graph = new CUgraph_st{std::move(work)};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return on_device([&] {
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return on_device([&] {
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    return enqueue(stream, executable->work);
  });
}

// ---- kernels
namespace msn::kernels::shim {

int concurrent_clusters(int blocks) {
  return has_clusters_of(blocks) ? settings().multiprocessors / blocks : 0;
}

int launch(const GridShape& grid, void* stream, std::function<void()> body) {
  return on_device([&] {
    const auto [blocks, threads, shared_bytes, cluster, may_start_early] = grid;
    const uint64_t block_size = uint64_t{threads.x} * threads.y * threads.z;
    if (block_size == 0 || block_size > kMaximalThreads || threads.z > 64)
      return cudaErrorInvalidConfiguration;
    if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return cudaErrorInvalidConfiguration;
    if (blocks.x > 0x7FFFFFFF || blocks.y > 65535 || blocks.z > 65535) return cudaErrorInvalidConfiguration;
    if (shared_bytes > kSharedBytesPerBlock) return cudaErrorInvalidValue;
    if (cluster != 1 && (!has_clusters_of(cluster) || blocks.x % static_cast<unsigned>(cluster) != 0))
      return cudaErrorInvalidClusterSize;
    auto kernel = std::make_shared<const Kernel>(Kernel{grid, std::move(body)});
    return enqueue(static_cast<cudaStream_t>(stream), std::vector<Work>{{std::move(kernel), nullptr}});
  });
}

}  // namespace msn::kernels::shim
