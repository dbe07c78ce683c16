// One CUDA device of this process: its functions, checked, and what is known of its health.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/cuda/cuda_module.h"
#include "backend/idle_slot.h"
#include "base/error.h"
#include "ops/tensor.h"

namespace msn {

std::string cuda_device_kind(int index);  // "cuda:0"

// Lives as long as the process, as the device's context does: an error that destroys the context destroys it
// for everyone. Any thread may call any function.
class CudaDevice {
 public:
  // The device `index`, from 0 to cuda_module().devices - 1; the same object for every caller. Throws when it
  // does not answer, which may be different at the next call.
  static CudaDevice& at(int index);

  CudaDevice(const CudaModule& module, int index);
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  int index() const { return index_; }
  const std::string& kind() const { return kind_; }  // "cuda:0"
  std::string name() const { return description_.name; }
  std::string compute_capability() const;  // "9.0"
  // Compute capability 8.0 or more: bf16 products, asynchronous copies.
  bool supported() const { return description_.facts.major >= 8; }
  bool has_code() const { return description_.has_code; }  // the module was built for it, too
  const kernels::DeviceFacts& facts() const { return description_.facts; }
  int64_t memory_bytes() const { return description_.memory_bytes; }
  int64_t free_bytes() const;  // now; 0 when the device does not say
  const kernels::Module& functions() const { return *module_.functions; }

  // What has happened to the device, one sentence; empty while it can be used.
  std::string why_lost() const;
  // Makes this the calling thread's device. Throws ERR_DEVICE when the device is lost.
  void select() const;
  // Throws what the status stands for: ERR_OUT_OF_MEMORY or ERR_DEVICE; `action` says what was tried.
  void check(kernels::Status status, const char* action) const;
  // Not zeroed. Where memory is short, the idle slots of all who use the device are emptied first. Throws
  // ERR_OUT_OF_MEMORY with what is wanted, what is free and what helps.
  Buffer allocate(int64_t bytes) const;
  Buffer allocate_pinned(int64_t bytes) const;  // not zeroed
  std::shared_ptr<IdleSlot> make_idle_slot();

 private:
  bool give_up_idle_memory() const;  // whether any memory was given back
  [[noreturn]] void fail(kernels::Status status, const char* action) const;
  [[noreturn]] void refuse_memory(int64_t bytes, const char* kind) const;

  const CudaModule& module_;
  const int index_;
  const std::string kind_;
  kernels::DeviceDescription description_{};
  mutable std::mutex idle_mutex_;
  mutable std::vector<std::weak_ptr<IdleSlot>> idle_slots_;
  mutable std::atomic<kernels::Status> lost_{0};  // the error that destroyed the context
};

}  // namespace msn
