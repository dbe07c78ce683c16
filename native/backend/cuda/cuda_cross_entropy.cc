// Output head and cross-entropy on CUDA, a chunk of rows at a time:
//   logits = hidden head^T;  d = gradient_scale (softmax(logits) - one_hot(target)), rounded to bf16
//   hidden_gradient = d head;  head_gradient += d^T hidden
#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "kernels/cross_entropy.h"
#include "ops/cross_entropy.h"
#include "ops/matrix_product.h"

namespace msn {
namespace {

// Every chunk reads the head twice and its gradient once, and writes it: the larger the chunks, the less.
constexpr int64_t kChunkBytes = int64_t{1} << 30;
constexpr int64_t kShareOfMemory = 16;  // at most a sixteenth of the device's
constexpr int64_t kRowMultiple = 128;   // a tile of the products

// Chunks of about equal size. row_bytes: of a row's logits and their gradient.
int64_t chunk_rows(int64_t rows, int64_t row_bytes, int64_t memory_bytes) {
  const int64_t limit =
      std::max<int64_t>(std::min(kChunkBytes, memory_bytes / kShareOfMemory) / row_bytes / kRowMultiple, 1) *
      kRowMultiple;
  if (rows <= limit) return rows;
  const int64_t chunks = (rows + limit - 1) / limit;
  return ((rows + chunks - 1) / chunks + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

Tensor rows_of(const Tensor& tensor, int64_t first, int64_t count) {
  if (!tensor) return {};
  Tensor view = tensor;
  view.shape[0] = 1;
  view.data = static_cast<std::byte*>(tensor.data) + first * view.bytes();
  view.shape[0] = count;
  return view;
}

}  // namespace

std::byte* CudaBackend::reserve_loss_memory(int64_t bytes) {
  if (loss_memory_.bytes() < bytes) {
    refuse_capture("allocating the memory of the logits");
    loss_memory_ = Buffer();  // the old one first: there may not be room for both
    loss_memory_ = allocate(bytes);
  }
  return static_cast<std::byte*>(loss_memory_.data());
}

void CudaBackend::run(const LinearCrossEntropy& args) {
  check(args, Dtype::kBf16);
  const int64_t rows = args.hidden.shape[0], vocabulary = args.head.shape[0];
  const bool differentiate = static_cast<bool>(args.hidden_gradient);
  const int64_t logit_bytes = dtype_size(Dtype::kF32), gradient_bytes = dtype_size(Dtype::kBf16);
  const int64_t chunk = chunk_rows(rows, vocabulary * (logit_bytes + gradient_bytes), device_.memory_bytes());
  const int64_t all_logits_bytes = (chunk * vocabulary * logit_bytes + 255) / 256 * 256;
  std::byte* const memory =
      reserve_loss_memory(all_logits_bytes + (differentiate ? chunk * vocabulary * gradient_bytes : 0));
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t count = std::min(chunk, rows - first);
    const Tensor hidden = rows_of(args.hidden, first, count);
    const Tensor logits(memory, Dtype::kF32, {count, vocabulary});
    const Tensor gradient(memory + all_logits_bytes, Dtype::kBf16, {count, vocabulary});
    run(MatrixProduct{.a = hidden, .b = args.head, .transpose_b = true, .bias = {}, .c = logits});

    kernels::CrossEntropy kernel{};
    kernel.logits = logits.f32();
    kernel.targets = args.targets.i32() + first;
    kernel.losses = args.losses.mutable_f32() + first;
    kernel.predictions = rows_of(args.predictions, first, count).as<int32_t>();
    kernel.logits_gradient = differentiate ? gradient.as<kernels::Bf16>() : nullptr;
    kernel.gradient_scale = args.gradient_scale;
    kernel.rows = count;
    kernel.vocabulary = vocabulary;
    enqueue(module().cross_entropy, kernel, "cross_entropy");
    if (!differentiate) continue;

    run(MatrixProduct{
        .a = gradient, .b = args.head, .bias = {}, .c = rows_of(args.hidden_gradient, first, count)});
    run(MatrixProduct{.a = gradient,
                      .transpose_a = true,
                      .b = hidden,
                      .bias = {},
                      .c = args.head_gradient,
                      .accumulate = true});
  }
}

}  // namespace msn
