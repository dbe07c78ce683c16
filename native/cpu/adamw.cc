// AdamW, element by element: see ops/adamw.h for the equations. 8-bit moments are widened and coded again a
// block at a time.
#include "ops/adamw.h"

#include <math.h>
#include <string.h>

#include "base/moment_codes.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kChunk = 64 * kMomentBlock;

// What all elements of a step share.
class Step {
 public:
  explicit Step(const AdamW& args)
      : beta1_(broadcast(args.beta1)),
        beta2_(broadcast(args.beta2)),
        new1_(broadcast(1 - args.beta1)),
        new2_(broadcast(1 - args.beta2)),
        gradient_scale_(broadcast(args.gradient_scale)),
        decay_(broadcast(args.learning_rate * args.weight_decay)),
        step_size_(broadcast(args.learning_rate / correction(args.beta1, args.step))),
        root_scale_(broadcast(1 / sqrt(correction(args.beta2, args.step)))),
        epsilon_(broadcast(args.epsilon)) {}

  // All of [count].
  void update(float* weights, const float* gradients, float* first_moments, float* second_moments,
              int64_t count) const {
    int64_t i = 0;
    for (; i + Vector::kWidth <= count; i += Vector::kWidth) {
      Vector w = Vector::load(weights + i), m = Vector::load(first_moments + i),
             v = Vector::load(second_moments + i);
      update(w, Vector::load(gradients + i), m, v);
      w.store(weights + i);
      m.store(first_moments + i);
      v.store(second_moments + i);
    }
    if (i == count) return;
    const int left = static_cast<int>(count - i);
    Vector w = Vector::load_partial(weights + i, left), m = Vector::load_partial(first_moments + i, left);
    Vector v = Vector::load_partial(second_moments + i, left);
    update(w, Vector::load_partial(gradients + i, left), m, v);
    w.store_partial(weights + i, left);
    m.store_partial(first_moments + i, left);
    v.store_partial(second_moments + i, left);
  }

 private:
  static Vector broadcast(double value) { return Vector::broadcast(static_cast<float>(value)); }
  static double correction(double beta, int64_t step) { return 1 - pow(beta, static_cast<double>(step)); }

  void update(Vector& w, Vector g, Vector& m, Vector& v) const {
    g = g * gradient_scale_;
    m = fma(beta1_, m, new1_ * g);
    v = fma(beta2_, v, new2_ * (g * g));
    w = w - decay_ * w;
    w = w - step_size_ * m / fma(square_root(v), root_scale_, epsilon_);
  }

  Vector beta1_, beta2_, new1_, new2_, gradient_scale_, decay_, step_size_, root_scale_, epsilon_;
};

// One moment in 8 bits.
class CodedMoment {
 public:
  using Value = float (*)(uint8_t code);
  CodedMoment(const Tensor& codes, const Tensor& scales, Value value)
      : codes_(codes.as<uint8_t>()), scales_(scales.mutable_f32()) {
    for (int code = 0; code < 256; ++code) values_[code] = value(static_cast<uint8_t>(code));
  }

  void read(int64_t block, int64_t count, float* moments) const {
    const uint8_t* codes = codes_ + block * kMomentBlock;
    const float scale = scales_[block];
    for (int64_t i = 0; i < count; ++i) moments[i] = values_[codes[i]] * scale;
  }

  template <class Code>
  void write(int64_t block, int64_t count, const float* moments, Code code) const {
    float largest = 0;
    for (int64_t i = 0; i < count; ++i) {
      const float magnitude = __builtin_fabsf(moments[i]);
      largest = magnitude > largest ? magnitude : largest;
    }
    const float scale = moment_scale(largest), inverse = inverse_moment_scale(scale);
    scales_[block] = scale;
    uint8_t* codes = codes_ + block * kMomentBlock;
    for (int64_t i = 0; i < count; ++i) codes[i] = code(moments[i] * inverse);
  }

 private:
  uint8_t* codes_;
  float* scales_;
  float values_[256];
};

}  // namespace

void run(Context& context, const AdamW& args) {
  const Step step(args);
  const int64_t count = args.weight.elements();
  float* weights = args.weight.mutable_f32();
  const float* gradients = args.gradient.f32();
  // Rounding to f32 is no rounding: a copy.
  float* rounded = args.rounded.data != args.weight.data ? args.rounded.mutable_f32() : nullptr;
  const auto in_chunks = [&](const auto& update) {
    context.pool.parallel_for((count + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
      const int64_t first = chunk * kChunk, length = count - first < kChunk ? count - first : kChunk;
      update(first, length);
      if (rounded != nullptr)
        memcpy(rounded + first, weights + first, static_cast<size_t>(length) * sizeof(float));
    });
  };

  if (!args.first_scale) {
    float* first_moments = args.first_moment.mutable_f32();
    float* second_moments = args.second_moment.mutable_f32();
    return in_chunks([&](int64_t first, int64_t length) {
      step.update(weights + first, gradients + first, first_moments + first, second_moments + first, length);
    });
  }
  const CodedMoment first_moment(args.first_moment, args.first_scale, first_moment_value);
  const CodedMoment second_moment(args.second_moment, args.second_scale, second_moment_value);
  in_chunks([&](int64_t first, int64_t length) {
    for (int64_t begin = first; begin < first + length; begin += kMomentBlock) {
      const int64_t left = first + length - begin, size = left < kMomentBlock ? left : kMomentBlock;
      const int64_t block = begin / kMomentBlock;
      float m[kMomentBlock], v[kMomentBlock];
      first_moment.read(block, size, m);
      second_moment.read(block, size, v);
      step.update(weights + begin, gradients + begin, m, v, size);
      first_moment.write(block, size, m, first_moment_code);
      second_moment.write(block, size, v, second_moment_code);
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
