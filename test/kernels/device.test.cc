// Memory, streams and graphs: what the engine relies on, of the shim as of a device.
#include <algorithm>
#include <cstdlib>

#include "harness.h"
#include "kernels/rms_norm.h"

namespace msn::kernels::testing {
namespace {

constexpr int64_t kCount = 1000;

std::vector<int32_t> numbers_from(int32_t first) {
  std::vector<int32_t> numbers(kCount);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = first + static_cast<int32_t>(i);
  return numbers;
}

const Test copies("device copies", [](Check& check) {
  const DeviceFunctions& device = check.device();
  const Stream stream = check.where().stream;
  const DeviceArray<int32_t> a(check, kCount);
  const DeviceArray<int32_t> b(check, kCount);
  std::vector<int32_t> host = numbers_from(5);
  check.ok(device.copy_from_host(a.data(), host.data(), kCount * 4, stream), "copy from the host");
  host = numbers_from(-1);  // pageable memory has been read when the copy was enqueued
  check.ok(device.copy(b.data(), a.data(), kCount * 4, stream), "copy");
  check.ok(device.fill(a.data(), 0x11, 400, stream), "fill");
  check.same(b.read(), numbers_from(5), "the copy");
  std::vector<int32_t> filled = numbers_from(5);
  std::fill(filled.begin(), filled.begin() + 100, 0x11111111);
  check.same(a.read(), filled, "the part filled");
});

const Test pinned("device pinned memory", [](Check& check) {
  const DeviceFunctions& device = check.device();
  const Stream stream = check.where().stream;
  void* memory = nullptr;
  check.ok(device.allocate_pinned(&memory, kCount * 4), "allocate");
  int32_t* const numbers = static_cast<int32_t*>(memory);
  const DeviceArray<int32_t> source(check, numbers_from(9));
  check.ok(device.copy(numbers, source.data(), kCount * 4, stream), "copy to pinned memory");
  void* event = nullptr;
  check.ok(device.create_event(&event), "create an event");
  check.ok(device.record_event(event, stream), "record the event");
  check.ok(device.wait_for_event(event), "wait for the event");
  const std::vector<int32_t> received(numbers, numbers + kCount);
  check.ok(device.destroy_event(event), "destroy the event");
  check.ok(device.release_pinned(memory), "release");
  check.same(received, numbers_from(9), "pinned memory");
});

// A graph runs what was recorded on what lies in memory by then, as often as it is launched.
const Test graphs("device graphs", [](Check& check) {
  const DeviceFunctions& device = check.device();
  const Stream stream = check.where().stream;
  const int64_t width = 64;
  DeviceArray<float> input(check, std::vector<float>(width, 0.0f));
  const DeviceArray<float> weight(check, std::vector<float>(width, 2.0f));
  const DeviceArray<Bf16> output(check, width);
  const DeviceArray<Bf16> copy(check, width);
  check.ok(device.synchronize(stream), "synchronize");
  check.ok(device.begin_capture(stream), "begin to record");
  const Status launched = rms_norm_forward({.input = input.data(),
                                            .addend = nullptr,
                                            .sum = nullptr,
                                            .weight = weight.data(),
                                            .output = output.data(),
                                            .inverse_rms = nullptr,
                                            .rows = 1,
                                            .width = width,
                                            .epsilon = 0},
                                           check.where());
  const Status copied = device.copy(copy.data(), output.data(), width * 2, stream);
  void* graph = nullptr;
  check.ok(device.end_capture(stream, &graph), "end recording");
  check.ok(launched, "record a launch");
  check.ok(copied, "record a copy");
  check.require(to_float(copy.read()[0]) != to_float(copy.read()[0]), "recording ran nothing");
  for (const float value : {3.0f, -7.0f}) {
    input.write(std::vector<float>(width, value));
    check.ok(device.launch_graph(graph, stream), "replay");
    check.same(to_floats(copy.read()), std::vector<float>(width, value > 0 ? 2.0f : -2.0f),
               "what was replayed");
  }
  check.ok(device.destroy_graph(graph), "destroy the graph");
});

// What may not be done while a stream records is refused, and the recording with it; the device still works.
const Test refusals("device refusals in a recording", [](Check& check) {
  const DeviceFunctions& device = check.device();
  const Stream stream = check.where().stream;
  check.ok(device.synchronize(stream), "synchronize");
  check.ok(device.begin_capture(stream), "begin to record");
  const Status synchronized = device.synchronize(stream);
  void* graph = nullptr;
  const Status ended = device.end_capture(stream, &graph);
  check.require(synchronized != 0, "waiting for a stream that records was not refused");
  check.require(ended != 0 && graph == nullptr, "a spoilt recording became a graph");
  const DeviceArray<int32_t> array(check, numbers_from(1));
  check.same(array.read(), numbers_from(1), "a copy afterwards");
});

// Where kernels may start early, the environment can forbid it.
const Test early_start("device early start", [](Check& check) {
  const auto starts_early = [&] {
    DeviceDescription description;
    check.ok(check.device().describe(0, &description), "describe");
    return description.facts.dependent_launch;
  };
  const bool can = check.facts().major >= 9;
  ::setenv("MSN_CUDA_EARLY_START", "off", 1);
  const bool forbidden = starts_early();
  ::unsetenv("MSN_CUDA_EARLY_START");
  check.require(!forbidden, "kernels would start early although that is switched off");
  check.require(starts_early() == can, "kernels start early from 9.0 on, and only there");
});

const Test exhaustion("device out of memory", [](Check& check) {
  const DeviceFunctions& device = check.device();
  void* memory = nullptr;
  const Status status = device.allocate(&memory, int64_t{1} << 50);
  check.require(status != 0 && memory == nullptr, "a petabyte was allocated");
  check.require(std::string(device.error_name(status)) == "cudaErrorMemoryAllocation",
                device.error_name(status));
  const DeviceArray<int32_t> array(check, numbers_from(1));
  check.same(array.read(), numbers_from(1), "a copy afterwards");
});

}  // namespace
}  // namespace msn::kernels::testing
