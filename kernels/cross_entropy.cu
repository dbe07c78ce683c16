// Cross-entropy of rows of logits, one block a row:
//   p = softmax(logits);  loss = -log p(target);  logits_gradient = gradient_scale (p - one_hot(target))
// logits f32 [rows, vocabulary], logits_gradient bf16 [rows, vocabulary]. The logits are read twice: once for
// the statistics, once for the gradient.
#include "kernels/cross_entropy.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "kernels/row_softmax.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 512;

__device__ void write_no_loss(const CrossEntropy& args, int64_t row) {
  if (threadIdx.x == 0) {
    args.losses[row] = 0;
    if (args.predictions != nullptr) args.predictions[row] = -1;
  }
  if (args.logits_gradient == nullptr) return;
  Bf16* const gradient = args.logits_gradient + row * args.vocabulary;
  for_each_element<kThreads>(
      args.vocabulary, divides_address(gradient, 8),
      [&](int64_t i) { *reinterpret_cast<uint2*>(gradient + i) = make_uint2(0, 0); },
      [&](int64_t i) { gradient[i] = to_bf16(0.0f); });
}

__global__ void __launch_bounds__(kThreads) cross_entropy_kernel(const CrossEntropy args) {
  wait_for_inputs();
  let_next_start();
  const int64_t row = blockIdx.x;
  const int32_t target = args.targets[row];
  if (target < 0) {
    write_no_loss(args, row);
    return;
  }
  const float* const logits = args.logits + row * args.vocabulary;
  const RowSoftmax softmax = row_softmax<kThreads>(logits, args.vocabulary, shared_memory<RowSoftmax>());
  const float log_sum = logf(softmax.sum);
  if (threadIdx.x == 0) {
    args.losses[row] = softmax.highest - logits[target] + log_sum;
    if (args.predictions != nullptr) args.predictions[row] = softmax.index;
  }
  if (args.logits_gradient == nullptr) return;
  Bf16* const gradient = args.logits_gradient + row * args.vocabulary;
  const float log_total = softmax.highest + log_sum, scale = args.gradient_scale;
  const auto derivative = [=](float logit, int64_t i) {
    return scale * (expf(logit - log_total) - (i == target ? 1.0f : 0.0f));
  };
  for_each_element<kThreads>(
      args.vocabulary, divides_address(logits, 16) && divides_address(gradient, 8),
      [&](int64_t i) {
        const float4 four = *reinterpret_cast<const float4*>(logits + i);
        *reinterpret_cast<uint2*>(gradient + i) =
            make_uint2(pack_bf16(derivative(four.x, i), derivative(four.y, i + 1)),
                       pack_bf16(derivative(four.z, i + 2), derivative(four.w, i + 3)));
      },
      [&](int64_t i) { gradient[i] = to_bf16(derivative(logits[i], i)); });
}

}  // namespace

Status cross_entropy(const CrossEntropy& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(args.rows)), dim3(kThreads),
                  kThreads / 32 * int64_t{sizeof(RowSoftmax)}};
  return launch(cross_entropy_kernel, grid, args, where);
}

}  // namespace msn::kernels
