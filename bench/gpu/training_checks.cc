#include "training_checks.h"

#include <algorithm>
#include <cmath>

#include "kernels/bf16.h"
#include "ops/cross_entropy.h"
#include "program.h"
#include "runtime/trainer.h"

namespace msn::gpu {
namespace {

// Of the loss of a step, as a part of the first step's.
constexpr double kLossTolerance = 0.02;
constexpr double kLearningRate = 1e-3;

// The output head's loss on one engine.
struct Loss {
  std::vector<float> losses, hidden_gradient, head_gradient;
};

Loss loss_of(Backend& backend, int64_t rows, int64_t hidden, int64_t vocabulary) {
  const Dtype activations = backend.traits().activations;
  Workspace memory(backend);
  LinearCrossEntropy head;
  memory.plan(&head.hidden, activations, {rows, hidden});
  memory.plan(&head.head, activations, {vocabulary, hidden});
  memory.plan(&head.targets, Dtype::kI32, {rows});
  memory.plan(&head.losses, Dtype::kF32, {rows});
  memory.plan(&head.hidden_gradient, activations, {rows, hidden});
  memory.plan(&head.head_gradient, Dtype::kF32, {vocabulary, hidden});
  memory.commit();
  head.gradient_scale = 1.0f / static_cast<float>(rows);
  const auto upload = [&](const Tensor& tensor, uint64_t seed) {
    std::vector<uint16_t> rounded;
    std::vector<float> values;
    for (const int32_t number : random_tokens(tensor.elements(), 256, seed)) {
      values.push_back(static_cast<float>(number - 128) / 64);  // what bf16 holds
      rounded.push_back(kernels::to_bf16(values.back()).bits);
    }
    const void* const source =
        activations == Dtype::kBf16 ? static_cast<const void*>(rounded.data()) : values.data();
    backend.copy_from_host(tensor.data, source, tensor.bytes());
  };
  upload(head.hidden, 21);
  upload(head.head, 22);
  std::vector<int32_t> targets = random_tokens(rows, vocabulary, 23);
  for (size_t row = 0; row < targets.size(); row += 7) targets[row] = -1;
  backend.copy_from_host(head.targets.data, targets.data(), head.targets.bytes());
  backend.run(head);
  const auto download = [&](const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    if (tensor.dtype == Dtype::kF32) {
      backend.copy_to_host(values.data(), tensor.data, tensor.bytes());
      return values;
    }
    std::vector<kernels::Bf16> rounded(values.size());
    backend.copy_to_host(rounded.data(), tensor.data, tensor.bytes());
    for (size_t i = 0; i < values.size(); ++i) values[i] = kernels::to_float(rounded[i]);
    return values;
  };
  return {download(head.losses), download(head.hidden_gradient), download(head.head_gradient)};
}

// Texts that can be learned: the next token is a function of the one before it.
MicroBatch learnable_batch(int64_t documents, int64_t length, int64_t vocabulary) {
  MicroBatch batch;
  batch.document_offsets = {0};
  const std::vector<int32_t> first = random_tokens(documents, vocabulary, 7);
  for (int64_t document = 0; document < documents; ++document) {
    const int64_t taken = length - document % 3;
    for (int64_t i = 0, token = first[document]; i < taken; ++i, token = (token * 5 + 3) % vocabulary) {
      batch.tokens.push_back(static_cast<int32_t>(token));
      batch.labels.push_back(i == 0 ? kNoLoss : static_cast<int32_t>(token));
    }
    batch.document_offsets.push_back(static_cast<int32_t>(batch.tokens.size()));
    batch.samples.push_back(static_cast<int32_t>(document));
  }
  return batch;
}

}  // namespace

void check_loss(Report& report, Backend& backend, Backend& reference, int64_t rows, int64_t hidden,
                int64_t vocabulary) {
  constexpr double kTolerance = 0.01;  // the logits' gradient is rounded to bf16
  const Loss actual = loss_of(backend, rows, hidden, vocabulary);
  const Loss expected = loss_of(reference, rows, hidden, vocabulary);
  struct Part {
    const char* name;
    std::vector<float> Loss::* values;
    int64_t width;
  };
  double largest = 0;
  std::string detail;
  for (const Part& part : {Part{"losses", &Loss::losses, 1},
                           Part{"hidden gradient", &Loss::hidden_gradient, hidden},
                           Part{"head gradient", &Loss::head_gradient, hidden}}) {
    const std::vector<float>&received = actual.*part.values, &wanted = expected.*part.values;
    const double error = relative_error(received, wanted);
    detail += formatted("%s %.2e, ", part.name, error);
    if (!(error <= kTolerance)) detail += worst_element(received, wanted, static_cast<size_t>(part.width)) + ", ";
    largest = std::isnan(error) ? INFINITY : std::max(largest, error);
  }
  report.add("loss in chunks: " + std::to_string(rows) + " x " + std::to_string(vocabulary),
             largest <= kTolerance, largest, detail + formatted("tolerance %.2e", kTolerance));
}

void check_training(Report& report, const std::string& name, const ModelShape& shape,
                    const std::shared_ptr<Backend>& backend, const std::shared_ptr<Backend>& reference,
                    int64_t steps, int64_t documents, int64_t length) {
  TrainerOptions options;
  options.noise.enabled = true;
  RandomTensors weights(shape, 3, 0.05), same_weights(shape, 3, 0.05);
  Trainer trainer(backend, shape, weights, options), expected(reference, shape, same_weights, options);
  double largest = 0, first = 0, last = 0;
  std::string steps_text;
  const MicroBatch batch = learnable_batch(documents, length, shape.vocabulary_size);
  for (int64_t step = 0; step < steps; ++step) {
    const TrainingStep done = trainer.step({&batch, 1}, 0, kLearningRate, {});
    const TrainingStep wanted = expected.step({&batch, 1}, 0, kLearningRate, {});
    if (step == 0) first = done.loss;
    largest = std::max(largest, std::abs(done.loss - wanted.loss) / first);
    last = done.loss;
    steps_text += formatted("; step %lld: loss %.5f (CPU %.5f), gradient norm %.5f (CPU %.5f)",
                            static_cast<long long>(step), done.loss, wanted.loss, done.gradient_norm,
                            wanted.gradient_norm);
  }
  const bool passed = largest <= kLossTolerance && last < first;
  report.add("training: " + name, passed, largest,
             formatted("loss %.4f to %.4f, at most %.2e of the first from the CPU's, tolerance %.2e", first,
                       last, largest, kLossTolerance) +
                 (passed ? "" : steps_text));
}

void check_repeatable_training(Report& report, const std::string& name, const ModelShape& shape,
                               const std::shared_ptr<Backend>& backend, int64_t steps, int64_t documents,
                               int64_t length) {
  const MicroBatch batch = learnable_batch(documents, length, shape.vocabulary_size);
  std::vector<double> losses[2];
  for (std::vector<double>& run : losses) {
    RandomTensors weights(shape, 3, 0.05);
    Trainer trainer(backend, shape, weights, {});
    for (int64_t step = 0; step < steps; ++step) {
      const TrainingStep done = trainer.step({&batch, 1}, 0, kLearningRate, {});
      run.push_back(done.loss);
      run.push_back(done.gradient_norm);
    }
  }
  size_t same = 0;
  while (same < losses[0].size() && losses[0][same] == losses[1][same]) ++same;
  const bool passed = same == losses[0].size();
  report.add("training twice: " + name, passed, passed ? 0 : 1,
             passed ? "the same bits"
                    : formatted("the %s of step %zu: %.17g, then %.17g", same % 2 == 0 ? "loss" : "gradient norm",
                                same / 2, losses[0][same], losses[1][same]));
}

}  // namespace msn::gpu
