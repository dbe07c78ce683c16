// log p(target) = logit - highest - log(sum of exp(logit - highest)), one block a row.
// logits f32 [rows, vocabulary], output f32 [rows].
#include "kernels/launcher.h"
#include "kernels/log_probability.h"
#include "kernels/ptx.h"
#include "kernels/row_softmax.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 512;

__global__ void __launch_bounds__(kThreads) log_probability_kernel(const LogProbability args) {
  wait_for_inputs();
  let_next_start();
  const int64_t row = blockIdx.x;
  const float* const logits = args.logits + row * args.vocabulary;
  const RowSoftmax softmax = row_softmax<kThreads>(logits, args.vocabulary, shared_memory<RowSoftmax>());
  if (threadIdx.x == 0) args.output[row] = logits[args.targets[row]] - softmax.highest - logf(softmax.sum);
}

}  // namespace

Status log_probability(const LogProbability& args, const Launch& where) {
  if (args.rows == 0) return 0;
  const Grid grid{dim3(static_cast<unsigned>(args.rows)), dim3(kThreads),
                  kThreads / 32 * int64_t{sizeof(RowSoftmax)}};
  return launch(log_probability_kernel, grid, args, where);
}

}  // namespace msn::kernels
