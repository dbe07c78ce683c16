// kernel_tests [--schedules] [name ...]: runs all tests or those named, prints a line for each and the sum.
// --schedules: each test under every schedule of the shim, eager and lazy (kernels/shim/settings.h).
// --list: the tests' names.
#include "harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "backend/cpu_backend.h"

namespace msn::kernels::testing {
namespace {

constexpr int64_t kGuardBytes = 256;
constexpr int64_t kScratchBytes = int64_t{16} << 20;

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RegisteredTest {
  const char* name;
  std::function<void(Check&)> body;
};

std::vector<RegisteredTest>& tests() {
  static std::vector<RegisteredTest> list;
  return list;
}

bool is_registered(const std::string& name) {
  return std::any_of(tests().begin(), tests().end(),
                     [&name](const RegisteredTest& test) { return name == test.name; });
}

// Everything eager and near lockstep, then everything as late and as far out of step as can be.
struct ShimSetting {
  const char* name;
  const char* schedule;
  const char* lazy;
};
constexpr ShimSetting kShimSettings[] = {{"in step, eager", "0", "0"},
                                         {"first warp ahead", "1", "1"},
                                         {"last warp ahead", "2", "1"},
                                         {"random order", "3", "1"}};

void ok(Status status, const std::string& what) {
  if (status == 0) return;
  const DeviceFunctions& device = msn_cuda_module()->device;
  throw Failure(what + ": " + device.error_name(status) + ", " + device.error_text(status));
}

std::string formatted(const char* format, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

template <class T>
T value_at(const unsigned char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Which elements differ: how many, the first ones in full, and the last one's index.
std::string places_text(const std::vector<size_t>& places, size_t count,
                        const std::function<std::string(size_t)>& element) {
  constexpr size_t kInFull = 4;
  std::string text = formatted("%zu of %zu elements differ: ", places.size(), count);
  for (size_t i = 0; i < std::min(places.size(), kInFull); ++i)
    text += (i > 0 ? "; " : "") + element(places[i]);
  if (places.size() > kInFull) text += formatted("; ... the last [%zu]", places.back());
  return text;
}

bool tiny_tests() {
  const char* const tiny = std::getenv("MSN_TINY_TESTS");
  return tiny != nullptr && *tiny == '1';
}

// What all tests share: the device, its stream and scratch, and the reference engine.
struct Bench {
  const DeviceFunctions& device = msn_cuda_module()->device;
  DeviceDescription description{};
  Launch where;
  std::shared_ptr<Backend> cpu = make_cpu_backend(tiny_tests() ? 1 : 2, best_instruction_set());

  Bench() {
    ok(device.select(0), "select the device");
    ok(device.describe(0, &description), "describe the device");
    ok(device.create_stream(&where.stream), "create a stream");
    where.device = &description.facts;
    where.scratch_bytes = kScratchBytes;
    ok(device.allocate(&where.scratch, kScratchBytes), "allocate scratch memory");
    void* tickets = nullptr;
    ok(device.allocate(&tickets, kTickets * int64_t{sizeof(uint32_t)}), "allocate tickets");
    where.tickets = static_cast<uint32_t*>(tickets);
    reset();
  }
  // As every launcher finds it: scratch memory that another used, tickets that are zero.
  void reset() {
    ok(device.fill(where.scratch, 0xFF, kScratchBytes, where.stream), "fill the scratch memory");
    ok(device.fill(where.tickets, 0, kTickets * int64_t{sizeof(uint32_t)}, where.stream),
       "clear the tickets");
    ok(device.synchronize(where.stream), "synchronize");
  }
  void read(void* host, const void* memory, int64_t bytes) const {
    ok(device.copy_to_host(host, memory, bytes, where.stream), "copy to the host");
    ok(device.synchronize(where.stream), "synchronize");
  }
};

Bench& bench() {
  static Bench* const bench = new Bench;
  return *bench;
}

}  // namespace

// ---- values
std::vector<float> to_floats(const std::vector<Bf16>& values) {
  std::vector<float> result;
  result.reserve(values.size());
  for (const Bf16 value : values) result.push_back(to_float(value));
  return result;
}

std::vector<Bf16> to_bf16s(const std::vector<float>& values) {
  std::vector<Bf16> result;
  result.reserve(values.size());
  for (const float value : values) result.push_back(to_bf16(value));
  return result;
}

std::vector<float> rounded_to_bf16(const std::vector<float>& values) { return to_floats(to_bf16s(values)); }

uint64_t Random::bits() {  // splitmix64
  uint64_t z = state_ += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

double Random::unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

int64_t Random::integer(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
}

std::vector<float> Random::uniform(int64_t count, float low, float high) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = low + (high - low) * static_cast<float>(unit());
  return values;
}

std::vector<float> Random::normal(int64_t count, float scale) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values)  // Box and Muller
    value = scale *
            static_cast<float>(std::sqrt(-2 * std::log(1 - unit())) * std::cos(6.283185307179586 * unit()));
  return values;
}

std::vector<Bf16> Random::normal_bf16(int64_t count, float scale) { return to_bf16s(normal(count, scale)); }

std::vector<int32_t> Random::integers(int64_t count, int32_t low, int32_t high) {
  std::vector<int32_t> values(static_cast<size_t>(count));
  for (int32_t& value : values) value = static_cast<int32_t>(integer(low, high));
  return values;
}

// ---- device memory
GuardedMemory::GuardedMemory(Check& check, int64_t bytes) : check_(check), bytes_(bytes) {
  void* memory = nullptr;
  const int64_t all = bytes + 2 * kGuardBytes;
  ok(bench().device.allocate(&memory, all), "allocate");
  allocation_ = static_cast<unsigned char*>(memory);
  data_ = allocation_ + kGuardBytes;
  ok(bench().device.fill(memory, 0xFF, all, bench().where.stream), "fill");
  check_.memory_.push_back(this);
}

GuardedMemory::~GuardedMemory() {
  static_cast<void>(bench().device.release(allocation_));
  std::erase(check_.memory_, this);
}

void GuardedMemory::write(const void* host, int64_t bytes) {
  ok(bench().device.copy_from_host(data_, host, bytes, bench().where.stream), "copy from the host");
}

void GuardedMemory::read(void* host, int64_t bytes) const { bench().read(host, data_, bytes); }

void GuardedMemory::check_guards() const {
  std::vector<unsigned char> guards(2 * kGuardBytes);
  bench().read(guards.data(), allocation_, kGuardBytes);
  bench().read(guards.data() + kGuardBytes, allocation_ + kGuardBytes + bytes_, kGuardBytes);
  for (const unsigned char byte : guards)
    if (byte != 0xFF) throw Failure("a kernel wrote beyond an array of " + std::to_string(bytes_) + " bytes");
}

// ---- checks
const DeviceFunctions& Check::device() const { return bench().device; }
const DeviceFacts& Check::facts() const { return bench().description.facts; }
const Launch& Check::where() const { return bench().where; }
Backend& Check::cpu() const { return *bench().cpu; }

bool Check::tiny() const { return tiny_tests(); }

void Check::ok(Status status, const char* what) const { testing::ok(status, what); }

void Check::finish(Status status) {
  ok(status, "launch");
  ok(device().synchronize(where().stream), "synchronize after the launch");
  for (const GuardedMemory* memory : memory_) memory->check_guards();
  std::vector<uint32_t> tickets(kTickets);
  bench().read(tickets.data(), where().tickets, kTickets * int64_t{sizeof(uint32_t)});
  for (size_t i = 0; i < tickets.size(); ++i)
    require(tickets[i] == 0, "ticket " + std::to_string(i) + " was not returned");
}

void Check::close(const std::vector<float>& actual, const std::vector<float>& expected, double tolerance,
                  const std::string& what) const {
  require(actual.size() == expected.size(), what + ": expected " + std::to_string(expected.size()) +
                                                " numbers, received " + std::to_string(actual.size()));
  double squares = 0;
  for (const float value : expected) squares += double{value} * value;
  const double scale = std::sqrt(squares / static_cast<double>(std::max<size_t>(expected.size(), 1)));
  std::vector<size_t> places;
  size_t worst = 0;
  double worst_excess = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(double{actual[i]} - expected[i]);
    const double allowed = tolerance * (std::abs(double{expected[i]}) + scale);
    if (error <= allowed) continue;
    places.push_back(i);
    const double excess = std::isnan(error) ? INFINITY : error / allowed;
    if (excess <= worst_excess) continue;
    worst = i;
    worst_excess = excess;
  }
  if (places.empty()) return;
  const auto element = [&](size_t i) {
    return formatted("[%zu] expected %.9g, received %.9g", i, double{expected[i]}, double{actual[i]});
  };
  failures_.push_back(what + ": " + places_text(places, expected.size(), element) + "; worst " +
                      element(worst) +
                      formatted("; root mean square %.3g, tolerance %.2g", scale, tolerance));
}

void Check::report_bits(const std::string& what, const std::vector<size_t>& places, size_t count,
                        const Arrays& arrays) const {
  const auto value = [&arrays](const void* array, size_t i) {
    const unsigned char* const at = static_cast<const unsigned char*>(array) + i * arrays.element_bytes;
    std::string text;
    for (size_t byte = arrays.element_bytes; byte-- > 0;) text += formatted("%02x", at[byte]);
    if (arrays.kind == Element::kFloat) text += formatted(" (%.9g)", double{value_at<float>(at)});
    if (arrays.kind == Element::kBf16) text += formatted(" (%.9g)", double{to_float(value_at<Bf16>(at))});
    if (arrays.kind == Element::kInteger) text += formatted(" (%d)", value_at<int32_t>(at));
    return text;
  };
  failures_.push_back(what + ": " + places_text(places, count, [&](size_t i) {
                        return formatted("[%zu]", i) + " expected bits " + value(arrays.expected, i) +
                               ", received " + value(arrays.actual, i);
                      }));
}

void Check::require(bool condition, const std::string& message) const {
  if (!condition) throw Failure(message);
}

Test::Test(const char* name, std::function<void(Check&)> body) { tests().push_back({name, std::move(body)}); }

bool run_test(const char* name, const std::function<void(Check&)>& body) {
  constexpr size_t kMostPrinted = 12;
  const auto begin = std::chrono::steady_clock::now();
  uint64_t seed = 0;
  for (const char* letter = name; *letter != '\0'; ++letter)
    seed = seed * 31 + static_cast<unsigned char>(*letter);
  Check check(seed);
  std::vector<std::string>& failures = check.failures_;
  try {
    bench().reset();
    body(check);
  } catch (const std::exception& error) {
    failures.push_back(error.what());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s  %-28s %7.3f s\n", failures.empty() ? "passed" : "FAILED", name, seconds);
  for (size_t i = 0; i < std::min(failures.size(), kMostPrinted); ++i)
    std::printf("FAILED    %s\n", failures[i].c_str());
  if (failures.size() > kMostPrinted) std::printf("FAILED    ... %zu comparisons in all\n", failures.size());
  std::fflush(stdout);
  return failures.empty();
}

}  // namespace msn::kernels::testing

int main(int count, char** arguments) {
  using namespace msn::kernels::testing;
  std::vector<std::string> names(arguments + 1, arguments + count);
  if (names.size() == 1 && names[0] == "--list") {
    for (const RegisteredTest& test : tests()) std::puts(test.name);
    return 0;
  }
  const bool all_schedules = std::erase(names, "--schedules") > 0;
  int passed = 0;
  int failed = 0;
  for (const std::string& name : names) {
    if (is_registered(name)) continue;
    std::printf("FAILED  %s: no such test; --list names all\n", name.c_str());
    ++failed;
  }
  for (const RegisteredTest& test : tests()) {
    if (!names.empty() && std::find(names.begin(), names.end(), test.name) == names.end()) continue;
    if (!all_schedules) {
      ++(run_test(test.name, test.body) ? passed : failed);
      continue;
    }
    for (const ShimSetting& setting : kShimSettings) {
      setenv("MSN_SHIM_SCHEDULE", setting.schedule, 1);
      setenv("MSN_SHIM_LAZY_COPIES", setting.lazy, 1);
      setenv("MSN_SHIM_LAZY_STREAM", setting.lazy, 1);
      std::printf("%-18s ", setting.name);
      ++(run_test(test.name, test.body) ? passed : failed);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
