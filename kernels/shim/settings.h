// How the shim runs kernels and which device it plays, from the environment, read anew at each use.
#pragma once
#include <cstdint>

namespace msn::kernels::shim {

// Which of the threads that could go on does. Threads of a correct kernel may run in any order.
enum class Schedule {
  kFirstInFirstOut,   // near lockstep
  kLowestWarpAhead,   // the quickest, and the default
  kHighestWarpAhead,  // and the last block first
  kRandom,
};

struct Settings {
  Schedule schedule;  // MSN_SHIM_SCHEDULE=0..3
  uint64_t seed;      // MSN_SHIM_SEED
  bool lazy_copies;   // MSN_SHIM_LAZY_COPIES: an asynchronous copy lands when it is waited for, not before
  bool lazy_streams;  // MSN_SHIM_LAZY_STREAM: a stream's work is done when it is waited for, not before
  int workers;        // MSN_SHIM_WORKERS: threads that run blocks side by side

  int driver_version;      // MSN_SHIM_DRIVER, 0: none
  int devices;             // MSN_SHIM_DEVICES
  int busy_devices;        // MSN_SHIM_BUSY_DEVICES: how many, from the first, are another process's alone
  int multiprocessors;     // MSN_SHIM_MULTIPROCESSORS
  int compute_capability;  // MSN_SHIM_COMPUTE_CAPABILITY, 90: 9.0
  int64_t memory_bytes;    // MSN_SHIM_MEMORY_BYTES
  int64_t failing_launch;  // MSN_SHIM_FAIL_LAUNCH, 0: none, n: the n-th of the process
};
Settings settings();

}  // namespace msn::kernels::shim
