// Sum of squares: chunks of a fixed size in double, their sums added in order, whatever the threads.
#include "ops/gradient_norm.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

void run(Context& context, const SquaredNorm& args) {
  constexpr int64_t kChunk = 16384;
  constexpr int64_t kLanes = 32;
  const int64_t count = args.gradient.elements();
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  const float* gradient = args.gradient.f32();
  const int64_t threads = context.pool.threads();
  double* sums =
      reinterpret_cast<double*>(context.scratch((chunks + threads - 1) / threads * 8));  // [chunks]
  context.pool.parallel_for(chunks, [=](int64_t chunk, int) {
    const float* values = gradient + chunk * kChunk;
    const int64_t length = count - chunk * kChunk < kChunk ? count - chunk * kChunk : kChunk;
    double lanes[kLanes] = {};
    const int64_t whole = length / kLanes * kLanes;
    for (int64_t i = 0; i < whole; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const double value = values[i + lane];
        lanes[lane] += value * value;
      }
    for (int64_t i = whole; i < length; ++i) lanes[i - whole] += static_cast<double>(values[i]) * values[i];
    double sum = 0;
    for (double lane : lanes) sum += lane;
    sums[chunk] = sum;
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += sums[chunk];
  *args.result.as<double>() = total;
}

}  // namespace msn::cpu::MSN_ISA
