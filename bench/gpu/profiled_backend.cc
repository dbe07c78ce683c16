#include "profiled_backend.h"

#include "base/stopwatch.h"
#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/matrix_product.h"

namespace msn::gpu {

template <class Args>
void ProfiledBackend::pass(const std::string& kind, const Args& args, double bytes, double operations) {
  if (!only_.empty() && only_ != kind) return;
  if (!times_) return inner_->run(args);
  inner_->synchronize();
  const Stopwatch stopwatch;
  inner_->run(args);
  inner_->synchronize();
  OperationSum& sum = sums_[kind];
  ++sum.count;
  sum.milliseconds += stopwatch.milliseconds();
  sum.bytes += bytes;
  sum.operations += operations;
}

void ProfiledBackend::run(const LinearForward& args) {
  const WeightMatrix& weight = *args.weight;
  const double elements = static_cast<double>(weight.outputs) * static_cast<double>(weight.inputs);
  pass("linear " + std::to_string(weight.inputs) + " -> " + std::to_string(weight.outputs), args,
       elements * static_cast<double>(dtype_size(weight.dtype)),
       2 * elements * static_cast<double>(args.input.shape[0]));
}

void ProfiledBackend::run(const MatrixProduct& args) {
  const int64_t m = args.c.shape[0], n = args.c.shape[1], k = args.a.shape[args.transpose_a ? 0 : 1];
  const std::string kind = std::string("matrix_product ") + (args.transpose_a ? "T" : "N") +
                           (args.transpose_b ? "T" : "N") + " " + std::to_string(m) + " x " +
                           std::to_string(n) + " x " + std::to_string(k);
  pass(kind, args, 0, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

void ProfiledBackend::run(const LinearCrossEntropy& args) {
  const double product = 2.0 * static_cast<double>(args.hidden.elements()) *
                         static_cast<double>(args.head.shape[0]);
  pass("cross_entropy", args, 0, args.hidden_gradient ? 3 * product : product);
}

void ProfiledBackend::run(const AdamW& args) {
  const Tensor& moment = args.first_moment;
  // Weights and moments are read and written, gradients read, the rounded weights written.
  const int64_t bytes =
      3 * args.weight.bytes() + 4 * moment.bytes() + (args.rounded ? args.rounded.bytes() : 0);
  pass("adamw", args, static_cast<double>(bytes));
}

}  // namespace msn::gpu
