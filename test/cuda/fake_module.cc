// A CUDA module whose device has memory and no kernels: for what is decided before the first kernel runs, as
// on a machine with a GPU. FAKE_CUDA_DRIVER: version of its driver, 13000; FAKE_CUDA_MEMORY: bytes, 1 GB;
// FAKE_CUDA_CODE=0: no kernels for the device.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/module.h"

namespace {

using namespace msn::kernels;

constexpr Status kOutOfMemory = 2;

long long number(const char* name, long long otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::atoll(value) : otherwise;
}

Status fine() { return 0; }

Status describe(int, DeviceDescription* description) {
  *description = {};
  std::snprintf(description->name, sizeof description->name, "Fake GPU");
  description->facts.multiprocessors = 132;
  description->facts.major = 9;
  description->has_code = number("FAKE_CUDA_CODE", 1) != 0;
  description->memory_bytes = description->free_bytes = number("FAKE_CUDA_MEMORY", 1'000'000'000);
  return 0;
}

Status allocate(void** memory, int64_t bytes) {
  if (bytes > number("FAKE_CUDA_MEMORY", 1'000'000'000)) return kOutOfMemory;
  *memory = std::aligned_alloc(256, static_cast<size_t>((bytes + 255) / 256 * 256));
  return 0;
}
Status release(void* memory) {
  std::free(memory);
  return 0;
}
Status copy(void* to, const void* from, int64_t bytes, Stream) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return 0;
}
Status create(void** object) {
  *object = std::malloc(1);
  return 0;
}

Module make() {
  Module module = {};
  module.version = kModuleVersion;
  module.architectures = "90a";
  DeviceFunctions& device = module.device;
  device.driver_version = [](int* version) {
    *version = static_cast<int>(number("FAKE_CUDA_DRIVER", 13000));
    return fine();
  };
  device.runtime_version = [](int* version) {
    *version = 12080;
    return fine();
  };
  device.device_count = [](int* count) {
    *count = 1;
    return fine();
  };
  device.describe = describe;
  device.select = [](int) { return fine(); };
  device.allocate = allocate;
  device.release = release;
  device.allocate_pinned = allocate;
  device.release_pinned = release;
  device.copy_from_host = copy;
  device.copy_to_host = copy;
  device.copy = copy;
  device.fill = [](void* memory, int value, int64_t bytes, Stream) {
    std::memset(memory, value, static_cast<size_t>(bytes));
    return fine();
  };
  device.create_stream = create;
  device.destroy_stream = release;
  device.synchronize = [](Stream) { return fine(); };
  device.create_event = create;
  device.destroy_event = release;
  device.record_event = [](void*, Stream) { return fine(); };
  device.wait_for_event = [](void*) { return fine(); };
  device.error_name = [](Status) { return "cudaErrorMemoryAllocation"; };
  device.error_text = [](Status) { return "out of memory"; };
  return module;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const Module* msn_cuda_module() {
  static const Module module = make();
  return &module;
}
