#include "kernels/shim/settings.h"

#include <cstdlib>

namespace msn::kernels::shim {
namespace {

int64_t number(const char* variable, int64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

}  // namespace

Settings settings() {
  Settings result;
  result.schedule = static_cast<Schedule>(number("MSN_SHIM_SCHEDULE", 1) & 3);
  result.seed = static_cast<uint64_t>(number("MSN_SHIM_SEED", 1));
  result.lazy_copies = number("MSN_SHIM_LAZY_COPIES", 1) != 0;
  result.lazy_streams = number("MSN_SHIM_LAZY_STREAM", 0) != 0;
  result.workers = static_cast<int>(number("MSN_SHIM_WORKERS", 2));
  result.driver_version = static_cast<int>(number("MSN_SHIM_DRIVER", 13000));
  result.devices = static_cast<int>(number("MSN_SHIM_DEVICES", 1));
  result.busy_devices = static_cast<int>(number("MSN_SHIM_BUSY_DEVICES", 0));
  result.multiprocessors = static_cast<int>(number("MSN_SHIM_MULTIPROCESSORS", 8));
  result.compute_capability = static_cast<int>(number("MSN_SHIM_COMPUTE_CAPABILITY", 90));
  result.memory_bytes = number("MSN_SHIM_MEMORY_BYTES", int64_t{16} << 30);
  result.failing_launch = number("MSN_SHIM_FAIL_LAUNCH", 0);
  return result;
}

}  // namespace msn::kernels::shim
