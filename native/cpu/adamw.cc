// AdamW, element by element: see ops/adamw.h for the equations.
#include "ops/adamw.h"

#include <math.h>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const AdamW& args) {
  constexpr int64_t kChunk = 16384;
  const int64_t count = args.weight.elements();
  float* weights = args.weight.mutable_f32();
  const float* gradients = args.gradient.f32();
  float* first_moments = args.first_moment.mutable_f32();
  float* second_moments = args.second_moment.mutable_f32();

  const double step = static_cast<double>(args.step);
  const double first_correction = 1 - pow(args.beta1, step);
  const double second_correction = 1 - pow(args.beta2, step);
  const Vector beta1 = Vector::broadcast(static_cast<float>(args.beta1));
  const Vector beta2 = Vector::broadcast(static_cast<float>(args.beta2));
  const Vector new1 = Vector::broadcast(static_cast<float>(1 - args.beta1));
  const Vector new2 = Vector::broadcast(static_cast<float>(1 - args.beta2));
  const Vector gradient_scale = Vector::broadcast(static_cast<float>(args.gradient_scale));
  const Vector decay = Vector::broadcast(static_cast<float>(args.learning_rate * args.weight_decay));
  const Vector step_size = Vector::broadcast(static_cast<float>(args.learning_rate / first_correction));
  const Vector root_scale = Vector::broadcast(static_cast<float>(1 / sqrt(second_correction)));
  const Vector epsilon = Vector::broadcast(static_cast<float>(args.epsilon));

  const auto update = [&](Vector& w, Vector g, Vector& m, Vector& v) {
    g = g * gradient_scale;
    m = fma(beta1, m, new1 * g);
    v = fma(beta2, v, new2 * (g * g));
    w = w - decay * w;
    w = w - step_size * m / fma(square_root(v), root_scale, epsilon);
  };
  context.pool.parallel_for((count + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
    int64_t i = chunk * kChunk;
    const int64_t end = i + kChunk < count ? i + kChunk : count;
    for (; i + Vector::kWidth <= end; i += Vector::kWidth) {
      Vector w = Vector::load(weights + i), m = Vector::load(first_moments + i),
             v = Vector::load(second_moments + i);
      update(w, Vector::load(gradients + i), m, v);
      w.store(weights + i);
      m.store(first_moments + i);
      v.store(second_moments + i);
    }
    if (i < end) {
      const int left = static_cast<int>(end - i);
      Vector w = Vector::load_partial(weights + i, left), m = Vector::load_partial(first_moments + i, left);
      Vector v = Vector::load_partial(second_moments + i, left);
      update(w, Vector::load_partial(gradients + i, left), m, v);
      w.store_partial(weights + i, left);
      m.store_partial(first_moments + i, left);
      v.store_partial(second_moments + i, left);
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
