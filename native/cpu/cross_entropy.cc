// Output head and cross-entropy, a chunk of rows with a target at a time. The logits of a chunk are computed
// transposed, [vocabulary, rows], so that the head, the large matrix, is multiplied as it lies in memory:
//   logits^T = head hidden^T;  p = softmax(logits);  loss = -log p(target)
//   d = (p - one_hot(target)) gradient_scale;  hidden_gradient = d head;  head_gradient += d^T hidden
#include "ops/cross_entropy.h"

#include <math.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/product.h"

namespace msn::cpu::MSN_ISA {
namespace {

// Logits of one chunk take at most about this much memory, and a chunk has at most so many rows.
constexpr int64_t kChunkBytes = 48 << 20;
constexpr int64_t kLargestChunk = 1024;
// Vocabulary rows whose maximum is taken before their exponentials are added.
constexpr int64_t kBlock = 64;

int64_t chunk_rows(int64_t rows, int64_t vocabulary) {
  int64_t limit = kChunkBytes / (4 * vocabulary) / Vector::kWidth * Vector::kWidth;
  if (limit < 4 * Vector::kWidth) limit = 4 * Vector::kWidth;
  if (limit > kLargestChunk) limit = kLargestChunk;
  return rows < limit ? rows : limit;
}

// Scratch of one call, cut from the threads' scratch, which is one piece of memory.
struct Chunk {
  int32_t* rows;           // [capacity]: rows of the batch that are in the chunk
  int32_t* targets;        // [capacity]
  float* losses;           // [capacity]
  int32_t* predictions;    // [capacity]
  float* hidden;           // [capacity, hidden]
  float* hidden_gradient;  // [capacity, hidden]
  float* logits;           // [vocabulary, stride], then their gradient
  int64_t stride;
};

// The highest of each of kWidth columns, the lower token on a tie.
void predict_columns(const Chunk& chunk, int64_t first, int64_t vocabulary, int64_t count) {
  float highest[Vector::kWidth];
  int32_t tokens[Vector::kWidth] = {};
  Vector::load(chunk.logits + first).store(highest);
  for (int64_t token = 1; token < vocabulary; ++token) {
    const float* logits = chunk.logits + token * chunk.stride + first;
    for (int lane = 0; lane < Vector::kWidth; ++lane) {
      const bool higher = logits[lane] > highest[lane];
      highest[lane] = higher ? logits[lane] : highest[lane];
      tokens[lane] = higher ? static_cast<int32_t>(token) : tokens[lane];
    }
  }
  for (int64_t lane = 0; lane < count; ++lane) chunk.predictions[first + lane] = tokens[lane];
}

// Softmax statistics of kWidth columns of the transposed logits, then the gradient in their place.
void softmax_columns(const Chunk& chunk, int64_t first, int64_t vocabulary, int64_t count,
                     float gradient_scale, bool predict, bool differentiate) {
  float* logits = chunk.logits + first;
  const int64_t stride = chunk.stride;
  Vector highest = Vector::load(logits);
  Vector sum = Vector::zero();
  for (int64_t block = 0; block < vocabulary; block += kBlock) {
    const int64_t end = block + kBlock < vocabulary ? block + kBlock : vocabulary;
    const Vector before = highest;
    for (int64_t token = block; token < end; ++token)
      highest = maximum(highest, Vector::load(logits + token * stride));
    Vector block_sum = Vector::zero();
    for (int64_t token = block; token < end; ++token)
      block_sum = block_sum + exponential(Vector::load(logits + token * stride) - highest);
    sum = fma(sum, exponential(before - highest), block_sum);
  }
  float maxima[Vector::kWidth], sums[Vector::kWidth];
  highest.store(maxima);
  sum.store(sums);

  float log_sums[Vector::kWidth] = {};
  for (int64_t lane = 0; lane < count; ++lane) {
    const int64_t row = first + lane;
    const double log_of_sum = log(static_cast<double>(sums[lane]));
    log_sums[lane] = static_cast<float>(maxima[lane] + log_of_sum);
    const float target = logits[chunk.targets[row] * stride + lane];
    chunk.losses[row] = static_cast<float>(static_cast<double>(maxima[lane]) - target + log_of_sum);
  }
  if (predict) predict_columns(chunk, first, vocabulary, count);
  if (!differentiate) return;
  const Vector log_sum = Vector::load(log_sums), scale = Vector::broadcast(gradient_scale);
  for (int64_t token = 0; token < vocabulary; ++token)
    (exponential(Vector::load(logits + token * stride) - log_sum) * scale).store(logits + token * stride);
  for (int64_t lane = 0; lane < count; ++lane)
    logits[chunk.targets[first + lane] * stride + lane] -= gradient_scale;
}

// The chunk's arrays, cut from `memory`; with null only the bytes are counted.
int64_t lay_out(Chunk& chunk, std::byte* memory, int64_t capacity, int64_t hidden, int64_t vocabulary) {
  int64_t offset = 0;
  const auto cut = [&](int64_t elements) {
    std::byte* piece = memory == nullptr ? nullptr : memory + offset;
    offset += (elements * 4 + 63) / 64 * 64;
    return piece;
  };
  chunk.stride = (capacity + Vector::kWidth - 1) / Vector::kWidth * Vector::kWidth;
  if (chunk.stride * 4 % 1024 == 0)
    chunk.stride += Vector::kWidth;  // neighbouring rows in different cache sets
  chunk.rows = reinterpret_cast<int32_t*>(cut(capacity));
  chunk.targets = reinterpret_cast<int32_t*>(cut(capacity));
  chunk.losses = reinterpret_cast<float*>(cut(capacity));
  chunk.predictions = reinterpret_cast<int32_t*>(cut(capacity));
  chunk.hidden = reinterpret_cast<float*>(cut(capacity * hidden));
  chunk.hidden_gradient = reinterpret_cast<float*>(cut(capacity * hidden));
  chunk.logits = reinterpret_cast<float*>(cut(vocabulary * chunk.stride));
  return offset;
}

}  // namespace

void run(Context& context, const LinearCrossEntropy& args) {
  const int64_t rows = args.hidden.shape[0], hidden = args.hidden.shape[1], vocabulary = args.head.shape[0];
  const bool differentiate = static_cast<bool>(args.hidden_gradient),
             predict = static_cast<bool>(args.predictions);
  const float* head = args.head.f32();
  const float* input = args.hidden.f32();
  float* input_gradient = args.hidden_gradient.mutable_f32();
  float* losses = args.losses.mutable_f32();
  int32_t* predictions = args.predictions.as<int32_t>();
  for (int64_t row = 0; row < rows; ++row) losses[row] = 0.0f;
  if (predict) memset(predictions, 0xff, static_cast<size_t>(rows) * 4);  // -1
  if (differentiate) memset(input_gradient, 0, static_cast<size_t>(rows * hidden) * 4);

  // Every thread's packing room, and behind all of them the chunk.
  Chunk chunk;
  const int64_t capacity = chunk_rows(rows, vocabulary), threads = context.pool.threads();
  const int64_t chunk_bytes = lay_out(chunk, nullptr, capacity, hidden, vocabulary);
  std::byte* packing = context.scratch(kProductScratchBytes + (chunk_bytes + threads - 1) / threads);
  lay_out(chunk, packing + threads * kProductScratchBytes, capacity, hidden, vocabulary);
  const auto product = [&](const Strided& a, const Strided& b, float* c, int64_t c_stride, int64_t m,
                           int64_t n, int64_t k, bool accumulate) {
    multiply(context, Product{a, b, c, c_stride, m, n, k, nullptr, accumulate}, packing,
             kProductScratchBytes);
  };

  for (int64_t row = 0; row < rows;) {
    int64_t count = 0;
    for (; row < rows && count < capacity; ++row) {
      if (args.targets.i32()[row] < 0) continue;
      chunk.rows[count] = static_cast<int32_t>(row);
      chunk.targets[count++] = args.targets.i32()[row];
    }
    if (count == 0) break;
    context.pool.parallel_for(count, [&](int64_t index, int) {
      memcpy(chunk.hidden + index * hidden, input + chunk.rows[index] * hidden,
             static_cast<size_t>(hidden) * 4);
    });
    product({head, hidden, 1}, {chunk.hidden, 1, hidden}, chunk.logits, chunk.stride, vocabulary, count,
            hidden, false);
    context.pool.parallel_for((count + Vector::kWidth - 1) / Vector::kWidth, [&](int64_t strip, int) {
      const int64_t first = strip * Vector::kWidth;
      const int64_t columns = count - first < Vector::kWidth ? count - first : Vector::kWidth;
      softmax_columns(chunk, first, vocabulary, columns, args.gradient_scale, predict, differentiate);
    });
    if (differentiate) {
      product({chunk.logits, 1, chunk.stride}, {head, hidden, 1}, chunk.hidden_gradient, hidden, count,
              hidden, vocabulary, false);
      product({chunk.logits, chunk.stride, 1}, {chunk.hidden, hidden, 1}, args.head_gradient.mutable_f32(),
              hidden, vocabulary, hidden, count, true);
    }
    context.pool.parallel_for(count, [&](int64_t index, int) {
      const int64_t to = chunk.rows[index];
      losses[to] = chunk.losses[index];
      if (predict) predictions[to] = chunk.predictions[index];
      if (differentiate)
        memcpy(input_gradient + to * hidden, chunk.hidden_gradient + index * hidden,
               static_cast<size_t>(hidden) * 4);
    });
  }
}

}  // namespace msn::cpu::MSN_ISA
