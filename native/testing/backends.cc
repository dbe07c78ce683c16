// The device registry and the thread pool.
#include <atomic>
#include <memory>

#include "cpu/thread_pool.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

// args: device?, threads?, instructions?. Returns what the backend says of itself, and why it was chosen.
const Register make("makeBackend", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const auto args = info[0].As<Napi::Object>();
  std::string reason;
  const BackendOptions options{.device = string(args, "device", "auto"),
                               .threads = static_cast<int>(number(args, "threads")),
                               .instructions = string(args, "instructions")};
  const std::shared_ptr<Backend> made = make_backend(options, &reason);
  const DeviceInfo device = made->info();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("kind", device.kind);
  result.Set("name", device.name);
  result.Set("instructions", device.instructions);
  result.Set("threads", device.threads);
  result.Set("memoryBytes", static_cast<double>(device.memory_bytes));
  result.Set("reason", reason);
  return result;
});

// args: bytes. Allocates them, reports whether all are zero, and frees them.
const Register allocate("allocateZeroed", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const auto args = info[0].As<Napi::Object>();
  const Buffer buffer = backend(args)->allocate(static_cast<int64_t>(number(args, "bytes")));
  const auto* bytes = static_cast<const uint8_t*>(buffer.data());
  bool zeroed = reinterpret_cast<uintptr_t>(bytes) % 64 == 0;
  for (int64_t i = 0; i < buffer.bytes(); ++i) zeroed = zeroed && bytes[i] == 0;
  return Napi::Boolean::New(info.Env(), zeroed);
});

// args: threads, jobs, tasks. Runs that many jobs; returns how often a task ran other than once.
const Register jobs("threadPoolJobs", [](const Napi::CallbackInfo& info) -> Napi::Value {
  const auto args = info[0].As<Napi::Object>();
  const auto tasks = static_cast<int64_t>(number(args, "tasks"));
  const int threads = static_cast<int>(number(args, "threads"));
  cpu::ThreadPool pool(threads);
  const auto runs = std::make_unique<std::atomic<int>[]>(static_cast<size_t>(tasks));
  int64_t wrong = 0;
  for (int job = 0; job < static_cast<int>(number(args, "jobs")); ++job) {
    for (int64_t task = 0; task < tasks; ++task) runs[task].store(0);
    pool.parallel_for(tasks, [&](int64_t task, int thread) {
      runs[task].fetch_add(thread >= 0 && thread < threads ? 1 : 2);
    });
    for (int64_t task = 0; task < tasks; ++task) wrong += runs[task].load() != 1;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(wrong));
});

}  // namespace
}  // namespace msn::testing
