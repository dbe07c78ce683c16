// Times optimizer steps of a model of random weights: noise, forward, loss, backward, clipping, AdamW.
//   training_bench [--device cuda] [--model 1b] [--rows 8] [--length 2048] [--repeats 10] [--profile 1]
//                  [--results FILE]
// One micro-batch of `rows` documents of `length` tokens; f32 master weights and moments. --profile 1: a step whose
// operations are waited for one by one comes last, to see where the time goes.
#include <cstdio>

#include "base/stopwatch.h"
#include "profile.h"
#include "program.h"
#include "runtime/trainer.h"

namespace msn::gpu {
namespace {

constexpr int64_t kWarmUp = 3;

MicroBatch random_batch(int64_t rows, int64_t length, int64_t vocabulary, uint64_t seed) {
  MicroBatch batch;
  batch.tokens = random_tokens(rows * length, vocabulary, seed);
  batch.labels = batch.tokens;
  batch.document_offsets = {0};
  for (int64_t row = 0; row < rows; ++row) {
    batch.labels[row * length] = kNoLoss;
    batch.document_offsets.push_back(static_cast<int32_t>((row + 1) * length));
    batch.samples.push_back(static_cast<int32_t>(row));
  }
  return batch;
}

// Of one step, forward and backward, without what is computed again: 6 for every weight and token, and the
// causal half of the attention's two products, three times.
double operations(const ModelShape& shape, int64_t rows, int64_t length) {
  const double tokens = static_cast<double>(rows * length);
  const double attention = 3.0 * 2 * static_cast<double>(length) *
                           static_cast<double>(shape.heads * shape.head_dim) *
                           static_cast<double>(shape.layers);
  return tokens * (6.0 * static_cast<double>(multiplied_parameters(shape)) + attention);
}

int run(Arguments& arguments) {
  const std::string device = arguments.text("device", "cuda"), name = arguments.text("model", "1b");
  const std::string results = arguments.text("results", "");
  const int64_t rows = arguments.integer("rows", 8), length = arguments.integer("length", 2048);
  const int64_t repeats = arguments.integer("repeats", 10);
  const bool profiled = arguments.integer("profile", 1) != 0;
  arguments.refuse_unknown();
  const ModelShape shape = shape_of(name);
  const auto backend = std::make_shared<ProfiledBackend>(open_backend(device));
  RepeatedTensors weights(shape);
  TrainerOptions options;
  options.noise.enabled = true;
  Trainer trainer(backend, shape, weights, options);

  std::vector<double> milliseconds;
  double loss = 0;
  for (int64_t step = 0; step < kWarmUp + repeats; ++step) {
    const MicroBatch batch = random_batch(rows, length, shape.vocabulary_size, static_cast<uint64_t>(step));
    const Stopwatch stopwatch;
    loss = trainer.step({&batch, 1}, 0, 1e-5, {}).loss;
    if (step >= kWarmUp) milliseconds.push_back(stopwatch.milliseconds());
  }
  const Spread spread = spread_of(milliseconds);
  const double teraflops = operations(shape, rows, length) / spread.median / 1e9;
  std::printf("training %s, %lld x %lld tokens: median %.1f ms (%.1f to %.1f), %.0f tokens/s, %.1f TFLOP/s\n",
              name.c_str(), static_cast<long long>(rows), static_cast<long long>(length), spread.median,
              spread.lowest, spread.highest, 1000 * static_cast<double>(rows * length) / spread.median,
              teraflops);
  Record record("training");
  describe(record, *backend)
      .text("model", name)
      .integer("rows", rows)
      .integer("length", length)
      .number("operations", operations(shape, rows, length))
      .number("medianMs", spread.median)
      .number("lowestMs", spread.lowest)
      .number("highestMs", spread.highest)
      .integer("repeats", repeats)
      .number("teraflops", teraflops)
      .number("loss", loss)
      .write(results);
  std::fflush(stdout);
  if (!profiled) return 0;
  const MicroBatch batch = random_batch(rows, length, shape.vocabulary_size, 0);
  backend->begin_times();
  trainer.step({&batch, 1}, 0, 1e-5, {});
  Record fields("profile");
  describe(fields, *backend).text("model", name).integer("rows", rows).integer("length", length);
  write_profile(backend->end_times(), "a training step of " + name + ", each operation waited for", fields, results);
  return 0;
}

}  // namespace
}  // namespace msn::gpu

int main(int count, char** values) { return msn::gpu::run_program(count, values, msn::gpu::run); }
