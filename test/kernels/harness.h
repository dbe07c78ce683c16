// What the kernels' tests are made of. A test holds one kernel against the CPU engine's operation of the same
// name; it runs on the shim and, compiled by nvcc, on a GPU.
//
//   const Test rms_norm("rms_norm", [](Check& check) {
//     DeviceArray<float> input(check, check.random().normal(rows * width));
//     ...
//     check.launch(rms_norm_forward, args);
//     check.close(to_floats(output.read()), expected, kBf16Tolerance, "output");
//   });
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/backend.h"
#include "kernels/bf16.h"
#include "kernels/module.h"

namespace msn::kernels::testing {

class Check;

class Test {
 public:
  // Registers itself; `name` is the operation's.
  Test(const char* name, std::function<void(Check&)> body);
};

// One rounding to bf16 and a little of f32 sums in another order.
constexpr double kBf16Tolerance = 1.0 / 128;
constexpr double kF32Tolerance = 1e-5;

std::vector<float> to_floats(const std::vector<Bf16>& values);
std::vector<Bf16> to_bf16s(const std::vector<float>& values);
// The values that bf16 can hold, as the CPU operation takes them.
std::vector<float> rounded_to_bf16(const std::vector<float>& values);

// Pseudo-random arrays, the same in every run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits();
  double unit();                               // [0, 1)
  int64_t integer(int64_t low, int64_t high);  // both included
  std::vector<float> uniform(int64_t count, float low, float high);
  std::vector<float> normal(int64_t count, float scale = 1.0f);
  // Normal numbers rounded to bf16.
  std::vector<Bf16> normal_bf16(int64_t count, float scale = 1.0f);
  std::vector<int32_t> integers(int64_t count, int32_t low, int32_t high);

 private:
  uint64_t state_;
};

// Device memory between two guard zones that nobody may write.
class GuardedMemory {
 public:
  // All bytes are 0xFF: NaN as f32 and as bf16.
  GuardedMemory(Check& check, int64_t bytes);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  void* data() const { return data_; }
  void write(const void* host, int64_t bytes);
  void read(void* host, int64_t bytes) const;
  // Fails the test when something wrote into the guard zones.
  void check_guards() const;

 private:
  Check& check_;
  unsigned char* allocation_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// An array of T in device memory.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Check& check, const std::vector<T>& values)
      : count_(static_cast<int64_t>(values.size())), memory_(check, count_ * int64_t{sizeof(T)}) {
    write(values);
  }
  // Filled with NaN (bytes 0xFF).
  DeviceArray(Check& check, int64_t count) : count_(count), memory_(check, count * int64_t{sizeof(T)}) {}
  T* data() const { return static_cast<T*>(memory_.data()); }
  int64_t count() const { return count_; }
  void write(const std::vector<T>& values) { memory_.write(values.data(), count_ * int64_t{sizeof(T)}); }
  std::vector<T> read() const {
    std::vector<T> values(static_cast<size_t>(count_));
    memory_.read(values.data(), count_ * int64_t{sizeof(T)});
    return values;
  }

 private:
  int64_t count_;
  GuardedMemory memory_;
};

// What a test is given.
class Check {
 public:
  const DeviceFunctions& device() const;
  const DeviceFacts& facts() const;
  const Launch& where() const;
  Random& random() { return random_; }
  // The reference.
  Backend& cpu() const;
  // Only the smallest shapes: the build with sanitizers runs some fifty times slower.
  bool tiny() const;

  // Runs a launcher and waits for it; fails on an error status, a written guard zone or a ticket left over.
  template <class Args>
  void launch(Status (*launcher)(const Args&, const Launch&), const Args& args) {
    finish(launcher(args, where()));
  }
  // The end of such a run, for tests that launch themselves.
  void finish(Status status);
  void ok(Status status, const char* what) const;

  // Comparisons. One that fails is reported with its first and worst elements, and the test goes on.
  // Every |actual - expected| <= tolerance * (|expected| + the array's root mean square); NaN fails.
  void close(const std::vector<float>& actual, const std::vector<float>& expected, double tolerance,
             const std::string& what) const;
  // The same bits.
  template <class T>
  void same(const std::vector<T>& actual, const std::vector<T>& expected, const std::string& what) const {
    require(actual.size() == expected.size(), what + ": the sizes differ");
    if (actual.empty() || std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)) == 0) return;
    std::vector<size_t> places;
    for (size_t i = 0; i < actual.size(); ++i)
      if (std::memcmp(&actual[i], &expected[i], sizeof(T)) != 0) places.push_back(i);
    const Element kind = std::is_same_v<T, float>     ? Element::kFloat
                         : std::is_same_v<T, Bf16>    ? Element::kBf16
                         : std::is_same_v<T, int32_t> ? Element::kInteger
                                                      : Element::kBytes;
    report_bits(what, places, actual.size(), {actual.data(), expected.data(), sizeof(T), kind});
  }
  // Ends the test where it does not hold.
  void require(bool condition, const std::string& message) const;

 private:
  friend class GuardedMemory;
  friend bool run_test(const char* name, const std::function<void(Check&)>& body);
  explicit Check(uint64_t seed) : random_(seed) {}
  enum class Element { kFloat, kBf16, kInteger, kBytes };
  struct Arrays {
    const void* actual;
    const void* expected;
    size_t element_bytes;
    Element kind;
  };
  // Of `count` elements those at `places` differ.
  void report_bits(const std::string& what, const std::vector<size_t>& places, size_t count,
                   const Arrays& arrays) const;

  Random random_;
  std::vector<const GuardedMemory*> memory_;
  mutable std::vector<std::string> failures_;
};

// A part of a vector: rows [first, first + count) of `width` elements.
template <class T>
std::vector<T> rows_of(const std::vector<T>& values, int64_t first, int64_t count, int64_t width) {
  return {values.begin() + first * width, values.begin() + (first + count) * width};
}

// Host arrays as the CPU operations take them.
inline Tensor tensor(std::vector<float>& values, std::initializer_list<int64_t> shape) {
  return Tensor(values.data(), Dtype::kF32, shape);
}
inline Tensor tensor(std::vector<Bf16>& values, std::initializer_list<int64_t> shape) {
  return Tensor(values.data(), Dtype::kBf16, shape);
}
inline Tensor tensor(std::vector<int32_t>& values, std::initializer_list<int64_t> shape) {
  return Tensor(values.data(), Dtype::kI32, shape);
}
template <class T>
Tensor bytes_of(std::vector<T>& values) {
  return Tensor(values.data(), Dtype::kU8, {static_cast<int64_t>(values.size() * sizeof(T))});
}

}  // namespace msn::kernels::testing
