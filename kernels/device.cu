// DeviceFunctions (module.h) on the CUDA runtime, or on the shim's part of it.
#include <cstdlib>
#include <cstring>

#include "kernels/cluster_occupancy.h"
#include "kernels/cuda.h"
#include "kernels/device.h"

namespace msn::kernels {
namespace {

// An error that does not stick to the device is told once, here, and not again by the next call.
Status told(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return error;
}

// The architecture that the selected device's kernels were compiled for, 90 for 9.0; 0: there are none for
// it.
#ifdef __CUDACC__
__global__ void any_kernel() {}

int architecture_of_code() {
  cudaFuncAttributes attributes;
  return told(cudaFuncGetAttributes(&attributes, any_kernel)) == 0 ? attributes.ptxVersion : 0;
}
#else
int architecture_of_code() { return 90; }
#endif

// MSN_CUDA_EARLY_START=off starts kernels one after another: where a wrong result vanishes with it, a kernel
// touches something before it waits.
bool early_start_wanted() {
  const char* const value = std::getenv("MSN_CUDA_EARLY_START");
  return value == nullptr || std::strcmp(value, "off") != 0;
}

cudaStream_t as_stream(Stream stream) { return static_cast<cudaStream_t>(stream); }

Status driver_version(int* version) { return told(cudaDriverGetVersion(version)); }

Status runtime_version(int* version) { return told(cudaRuntimeGetVersion(version)); }

Status device_count(int* count) { return told(cudaGetDeviceCount(count)); }

Status select(int device) { return told(cudaSetDevice(device)); }

Status describe(int device, DeviceDescription* description) {
  cudaDeviceProp properties;
  if (const Status status = told(cudaGetDeviceProperties(&properties, device)); status != 0) return status;
  if (const Status status = select(device); status != 0) return status;
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  if (const Status status = told(cudaMemGetInfo(&free_bytes, &total_bytes)); status != 0) return status;
  *description = {};
  std::memcpy(description->name, properties.name, sizeof description->name);
  description->name[sizeof description->name - 1] = '\0';
  description->facts.multiprocessors = properties.multiProcessorCount;
  description->facts.major = properties.major;
  description->facts.minor = properties.minor;
  description->facts.shared_bytes_per_block = static_cast<int>(properties.sharedMemPerBlockOptin);
  const int architecture = architecture_of_code();
  description->has_code = architecture > 0;
  // On a newer device the driver may have compiled older PTX, which waits for no inputs and knows no
  // clusters.
  if (properties.major >= 9 && architecture >= 90) {
    description->facts.dependent_launch = early_start_wanted();
    count_clusters(&description->facts);
  }
  description->memory_bytes = static_cast<int64_t>(total_bytes);
  description->free_bytes = static_cast<int64_t>(free_bytes);
  return 0;
}

Status allocate(void** memory, int64_t bytes) { return told(cudaMalloc(memory, static_cast<size_t>(bytes))); }

Status release(void* memory) { return told(cudaFree(memory)); }

Status allocate_pinned(void** memory, int64_t bytes) {
  return told(cudaHostAlloc(memory, static_cast<size_t>(bytes), cudaHostAllocPortable | cudaHostAllocMapped));
}

Status release_pinned(void* memory) { return told(cudaFreeHost(memory)); }

Status copy_from_host(void* device, const void* host, int64_t bytes, Stream stream) {
  return told(
      cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, as_stream(stream)));
}

Status copy_to_host(void* host, const void* device, int64_t bytes, Stream stream) {
  return told(
      cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, as_stream(stream)));
}

Status copy(void* destination, const void* source, int64_t bytes, Stream stream) {
  return told(
      cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), cudaMemcpyDefault, as_stream(stream)));
}

Status fill(void* memory, int value, int64_t bytes, Stream stream) {
  return told(cudaMemsetAsync(memory, value, static_cast<size_t>(bytes), as_stream(stream)));
}

Status create_stream(Stream* stream) {
  cudaStream_t created = nullptr;
  const Status status = told(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
  *stream = created;
  return status;
}

Status destroy_stream(Stream stream) { return told(cudaStreamDestroy(as_stream(stream))); }

Status synchronize(Stream stream) { return told(cudaStreamSynchronize(as_stream(stream))); }

Status create_event(void** event) {
  cudaEvent_t created = nullptr;
  const Status status = told(cudaEventCreateWithFlags(&created, cudaEventDisableTiming));
  *event = created;
  return status;
}

Status destroy_event(void* event) { return told(cudaEventDestroy(static_cast<cudaEvent_t>(event))); }

Status record_event(void* event, Stream stream) {
  return told(cudaEventRecord(static_cast<cudaEvent_t>(event), as_stream(stream)));
}

Status wait_for_event(void* event) { return told(cudaEventSynchronize(static_cast<cudaEvent_t>(event))); }

Status begin_capture(Stream stream) {
  return told(cudaStreamBeginCapture(as_stream(stream), cudaStreamCaptureModeThreadLocal));
}

Status end_capture(Stream stream, void** graph) {
  cudaGraph_t captured = nullptr;
  if (graph != nullptr) *graph = nullptr;
  Status status = told(cudaStreamEndCapture(as_stream(stream), &captured));
  if (status == 0 && graph != nullptr) {
    cudaGraphExec_t executable = nullptr;
    status = told(cudaGraphInstantiate(&executable, captured, 0));
    *graph = executable;
  }
  if (captured != nullptr) static_cast<void>(told(cudaGraphDestroy(captured)));
  return status;
}

Status launch_graph(void* graph, Stream stream) {
  return told(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), as_stream(stream)));
}

Status destroy_graph(void* graph) { return told(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph))); }

const char* error_name(Status status) { return cudaGetErrorName(static_cast<cudaError_t>(status)); }

const char* error_text(Status status) { return cudaGetErrorString(static_cast<cudaError_t>(status)); }

}  // namespace

DeviceFunctions device_functions() {
  return {
      .driver_version = driver_version,
      .runtime_version = runtime_version,
      .device_count = device_count,
      .describe = describe,
      .select = select,
      .allocate = allocate,
      .release = release,
      .allocate_pinned = allocate_pinned,
      .release_pinned = release_pinned,
      .copy_from_host = copy_from_host,
      .copy_to_host = copy_to_host,
      .copy = copy,
      .fill = fill,
      .create_stream = create_stream,
      .destroy_stream = destroy_stream,
      .synchronize = synchronize,
      .create_event = create_event,
      .destroy_event = destroy_event,
      .record_event = record_event,
      .wait_for_event = wait_for_event,
      .begin_capture = begin_capture,
      .end_capture = end_capture,
      .launch_graph = launch_graph,
      .destroy_graph = destroy_graph,
      .error_name = error_name,
      .error_text = error_text,
  };
}

}  // namespace msn::kernels
