// log p(target) = logit - highest - log(sum of exp(logit - highest)), one row at a time. The sum runs in
// blocks that are added in double, in ascending order.
#include "ops/log_probability.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kBlock = 32 * Vector::kWidth;
constexpr int64_t kWorkOfLogit = 2;

float highest_of(const float* logits, int64_t count) {
  Vector highest = Vector::broadcast(logits[0]);
  int64_t i = 0;
  for (; i + Vector::kWidth <= count; i += Vector::kWidth)
    highest = maximum(Vector::load(logits + i), highest);
  float result = maximum_lane(highest);
  for (; i < count; ++i) result = logits[i] > result ? logits[i] : result;
  return result;
}

// count is at most kBlock.
float sum_of_exponentials(const float* logits, int64_t count, float highest) {
  Vector sum = Vector::zero();
  for (int64_t i = 0; i < count; i += Vector::kWidth) {
    const int lanes = count - i < Vector::kWidth ? static_cast<int>(count - i) : Vector::kWidth;
    float weights[Vector::kWidth];
    exponential(Vector::load_partial(logits + i, lanes) - Vector::broadcast(highest)).store(weights);
    sum = sum + Vector::load_partial(weights, lanes);
  }
  return sum_lanes(sum);
}

}  // namespace

void run(Context& context, const LogProbability& args) {
  const int64_t rows = args.logits.shape[0];
  const int64_t vocabulary = args.logits.shape[1];
  context.parallel_for(rows, rows * vocabulary * kWorkOfLogit, [&](int64_t row, int) {
    const float* logits = args.logits.f32() + row * vocabulary;
    const float highest = highest_of(logits, vocabulary);
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; i += kBlock)
      sum += sum_of_exponentials(logits + i, vocabulary - i < kBlock ? vocabulary - i : kBlock, highest);
    const double distance = static_cast<double>(logits[args.targets.i32()[row]]) - highest;
    args.output.mutable_f32()[row] = static_cast<float>(distance - __builtin_log(sum));
  });
}

}  // namespace msn::cpu::MSN_ISA
