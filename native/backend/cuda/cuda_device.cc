// Statuses as typed errors, and memory that is given back to the device it came from.
#include "backend/cuda/cuda_device.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <vector>

namespace msn {
namespace {

constexpr kernels::Status kOutOfMemory = 2;  // cudaErrorMemoryAllocation

// Errors after which the driver refuses everything that this process asks of the device: those of which
// driver_types.h says that the process must be ended, and failing hardware.
bool destroys_context(kernels::Status status) {
  constexpr kernels::Status kDestroying[] = {
      214,  // cudaErrorECCUncorrectable
      220,  // cudaErrorNvlinkUncorrectable
      226,  // cudaErrorContained
      700,  // cudaErrorIllegalAddress
      702,  // cudaErrorLaunchTimeout
      709,  // cudaErrorContextIsDestroyed
      710,  // cudaErrorAssert
      714,  // cudaErrorHardwareStackError
      715,  // cudaErrorIllegalInstruction
      716,  // cudaErrorMisalignedAddress
      717,  // cudaErrorInvalidAddressSpace
      718,  // cudaErrorInvalidPc
      719,  // cudaErrorLaunchFailure
      721,  // cudaErrorTensorMemoryLeak
      810,  // cudaErrorMpsClientTerminated
      911,  // cudaErrorExternalDevice
      999,  // cudaErrorUnknown
  };
  return std::find(std::begin(kDestroying), std::end(kDestroying), status) != std::end(kDestroying);
}

std::string readable(int64_t bytes) {
  char text[32];
  if (bytes >= 1'000'000'000)
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  else if (bytes >= 1'000'000)
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  else
    std::snprintf(text, sizeof text, "%lld bytes", static_cast<long long>(bytes));
  return text;
}

// A failing release has nobody to be told, and a lost device fails every one.
void release_device_memory(void* owner, void* data, int64_t) {
  const CudaDevice& device = *static_cast<const CudaDevice*>(owner);
  const kernels::DeviceFunctions& functions = device.functions().device;
  functions.select(device.index());
  functions.release(data);
}

void release_pinned_memory(void* owner, void* data, int64_t) {
  const CudaDevice& device = *static_cast<const CudaDevice*>(owner);
  const kernels::DeviceFunctions& functions = device.functions().device;
  functions.select(device.index());
  functions.release_pinned(data);
}

}  // namespace

std::string cuda_device_kind(int index) { return "cuda:" + std::to_string(index); }

CudaDevice& CudaDevice::at(int index) {
  static std::mutex mutex;
  static auto& devices = *new std::vector<std::unique_ptr<CudaDevice>>;  // outlives every static object
  const std::lock_guard lock(mutex);
  const CudaModule& module = cuda_module();
  devices.resize(static_cast<size_t>(module.devices));
  std::unique_ptr<CudaDevice>& device = devices.at(static_cast<size_t>(index));
  if (!device) device = std::make_unique<CudaDevice>(module, index);
  return *device;
}

CudaDevice::CudaDevice(const CudaModule& module, int index)
    : module_(module), index_(index), kind_(cuda_device_kind(index)) {
  check(functions().device.describe(index, &description_), "describing the device");
}

std::string CudaDevice::compute_capability() const {
  return std::to_string(facts().major) + "." + std::to_string(facts().minor);
}

int64_t CudaDevice::free_bytes() const {
  kernels::DeviceDescription now{};
  return functions().device.describe(index_, &now) == 0 ? now.free_bytes : 0;
}

void CudaDevice::select() const {
  if (lost_.load(std::memory_order_relaxed) != 0)
    throw Error(ErrorCode::kDevice, why_lost() + "; device 'cpu' still works in this one");
  check(functions().device.select(index_), "selecting the device");
}

void CudaDevice::check(kernels::Status status, const char* action) const {
  if (status != 0) fail(status, action);
}

void CudaDevice::fail(kernels::Status status, const char* action) const {
  if (destroys_context(status)) {
    kernels::Status none = 0;
    lost_.compare_exchange_strong(none, status);
    throw Error(ErrorCode::kDevice, why_lost() + "; device 'cpu' still works in this one");
  }
  const kernels::DeviceFunctions& device = functions().device;
  const std::string text =
      std::string(action) + " failed (" + device.error_name(status) + ": " + device.error_text(status) + ")";
  if (status == kOutOfMemory)
    throw Error(ErrorCode::kOutOfMemory,
                text + ": the device has too little memory left, " + readable(free_bytes()) + " of " +
                    readable(memory_bytes()) + " are free",
                kind_);
  throw Error(ErrorCode::kDevice, text, kind_);
}

std::string CudaDevice::why_lost() const {
  const kernels::Status status = lost_.load(std::memory_order_relaxed);
  if (status == 0) return {};
  const kernels::DeviceFunctions& device = functions().device;
  return kind_ + " is lost to this process: a kernel failed (" + device.error_name(status) + ": " +
         device.error_text(status) +
         "), and what was in the device's memory is gone. Dispose of what lives on it and start a new "
         "process "
         "to use it again";
}

void CudaDevice::refuse_memory(int64_t bytes, const char* kind) const {
  throw Error(ErrorCode::kOutOfMemory,
              "cannot allocate " + readable(bytes) + " of " + kind + ": " + readable(free_bytes()) + " of " +
                  readable(memory_bytes()) +
                  " are free on the device. Free some (dispose models, end other programs), need less (dtype "
                  "'int8', a shorter context, a smaller batch or sequence), or use device 'cpu'",
              kind_ + " (" + name() + ")");
}

Buffer CudaDevice::allocate(int64_t bytes) const {
  if (bytes <= 0) return {};
  select();
  void* data = nullptr;
  kernels::Status status = functions().device.allocate(&data, bytes);
  if (status == kOutOfMemory && give_up_idle_memory()) status = functions().device.allocate(&data, bytes);
  if (status == kOutOfMemory) refuse_memory(bytes, "device memory");
  check(status, "allocating device memory");
  return Buffer(data, bytes, release_device_memory, const_cast<CudaDevice*>(this));
}

std::shared_ptr<IdleSlot> CudaDevice::make_idle_slot() {
  auto slot = std::make_shared<IdleSlot>();
  const std::lock_guard lock(idle_mutex_);
  std::erase_if(idle_slots_, [](const auto& known) { return known.expired(); });
  idle_slots_.push_back(slot);
  return slot;
}

bool CudaDevice::give_up_idle_memory() const {
  std::vector<std::weak_ptr<IdleSlot>> slots;
  {
    const std::lock_guard lock(idle_mutex_);
    slots = idle_slots_;
  }
  bool given_up = false;
  for (const auto& known : slots)
    if (const std::shared_ptr<IdleSlot> slot = known.lock()) given_up |= slot->give_up();
  return given_up;
}

Buffer CudaDevice::allocate_pinned(int64_t bytes) const {
  if (bytes <= 0) return {};
  select();
  void* data = nullptr;
  const kernels::Status status = functions().device.allocate_pinned(&data, bytes);
  if (status == kOutOfMemory)
    throw Error(ErrorCode::kOutOfMemory,
                "cannot allocate " + readable(bytes) +
                    " of page-locked host memory; free some, or raise the limit (ulimit -l)",
                kind_);
  check(status, "allocating page-locked host memory");
  return Buffer(data, bytes, release_pinned_memory, const_cast<CudaDevice*>(this));
}

}  // namespace msn
