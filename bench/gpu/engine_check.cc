// Holds an engine against the CPU engine on models of random weights, and against itself: logits, exactness,
// losslessness, training.
//   engine_check [--device cuda] [--size full | tiny] [--model-table FILE] [--results FILE]
// With --model-table (model_table.py) only losslessness, on that model.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "kernels/bf16.h"
#include "model_table.h"
#include "ops/cross_entropy.h"
#include "program.h"
#include "runtime/decoding.h"
#include "runtime/draft_tree.h"
#include "runtime/passes.h"
#include "runtime/trainer.h"

namespace msn::gpu {
namespace {

// Relative to the norm of the CPU's logits: activations are rounded to bf16 a few dozen times on the way.
constexpr double kLogitTolerance = 0.03;
// Of the loss of a step, as a part of the first step's.
constexpr double kLossTolerance = 0.02;
constexpr double kLearningRate = 1e-3;

class Report {
 public:
  Report(const Backend& backend, std::string results) : backend_(backend), results_(std::move(results)) {}
  void add(const std::string& check, bool passed, double value, const std::string& detail) {
    std::printf("%s  %-44s %s\n", passed ? "passed" : "FAILED", check.c_str(), detail.c_str());
    std::fflush(stdout);
    failed_ += !passed;
    Record record("check");
    describe(record, backend_)
        .text("check", check)
        .boolean("passed", passed)
        .number("value", value)
        .text("detail", detail)
        .write(results_);
  }
  int failed() const { return failed_; }

 private:
  const Backend& backend_;
  const std::string results_;
  int failed_ = 0;
};

std::string formatted(const char* format, double value) {
  char text[96];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

struct NamedShape {
  std::string name;
  ModelShape shape;
};

std::vector<NamedShape> random_shapes(bool tiny) {
  ModelShape shape = shape_of("tiny");
  std::vector<NamedShape> shapes = {{"grouped heads of 16", shape}};
  shape.head_dim = 12;
  shape.kv_heads = 1;
  shape.window = 40;
  shape.attention_bias = true;
  shape.tied_head = false;
  shape.vocabulary_size = 301;
  shapes.push_back({"window, bias, heads of 12", shape});
  if (tiny) return shapes;
  shape = shape_of("tiny");
  shape.hidden_size = 512;
  shape.intermediate_size = 1408;
  shape.layers = 6;
  shape.heads = 8;
  shape.kv_heads = 2;
  shape.head_dim = 64;
  shape.vocabulary_size = 32000;
  shape.context_length = 8192;
  shapes.push_back({"hidden 512, heads of 64", shape});
  shape.head_dim = 128;
  shape.query_key_norm = true;
  shapes.push_back({"query/key norm, heads of 128", shape});
  return shapes;
}

// A tree behind a prefix: what one step of decoding verifies.
struct Tree {
  std::vector<int32_t> prefix, tokens, parents;
};

Tree random_tree(const ModelShape& shape, int64_t prefix) {
  Tree tree;
  const DraftTree drafts(node_paths(24, 5, 10), 5, 10);
  tree.prefix = random_tokens(prefix, shape.vocabulary_size, 11);
  tree.tokens = random_tokens(drafts.nodes(), shape.vocabulary_size, 12);
  tree.parents = drafts.parents();
  return tree;
}

std::vector<float> logits_of(const Model& model, const Tree& tree) {
  return pass_logits(
      model, {.prefix = tree.prefix, .tokens = tree.tokens, .parents = tree.parents, .chunk = 64}, {});
}

double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{actual[i]} - expected[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

void check_logits(Report& report, const std::string& name, const Model& model, const Model& reference,
                  int64_t prefix) {
  const Tree tree = random_tree(model.shape(), prefix);
  const std::vector<float> actual = logits_of(model, tree), expected = logits_of(reference, tree);
  const double error = relative_error(actual, expected);
  report.add("logits: " + name, error <= kLogitTolerance, error,
             formatted("relative error %.2e", error) + formatted(", tolerance %.2e", kLogitTolerance));
}

// Every node of a tree has the bits that its path alone, a chain, gives.
void check_exactness(Report& report, const std::string& name, const Model& model, int64_t prefix) {
  const Tree tree = random_tree(model.shape(), prefix);
  const size_t vocabulary = static_cast<size_t>(model.shape().vocabulary_size);
  const std::vector<float> together = logits_of(model, tree);
  int64_t different = 0;
  for (size_t node = 0; node < tree.tokens.size(); ++node) {
    Tree path;
    path.prefix = tree.prefix;
    for (int32_t at = static_cast<int32_t>(node); at >= 0; at = tree.parents[at])
      path.tokens.insert(path.tokens.begin(), tree.tokens[at]);
    for (size_t i = 0; i < path.tokens.size(); ++i) path.parents.push_back(static_cast<int32_t>(i) - 1);
    const std::vector<float> alone = logits_of(model, path);
    different += std::memcmp(alone.data() + (path.tokens.size() - 1) * vocabulary,
                             together.data() + node * vocabulary, vocabulary * sizeof(float)) != 0;
  }
  report.add("exactness: " + name, different == 0, static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(tree.tokens.size()) +
                 " nodes of a tree differ from the chain of their path");
}

// The output head's loss over more rows than a chunk of logits holds, on one engine.
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

void check_loss(Report& report, Backend& backend, Backend& reference, int64_t rows, int64_t hidden,
                int64_t vocabulary) {
  constexpr double kTolerance = 0.01;  // the logits' gradient is rounded to bf16
  const Loss actual = loss_of(backend, rows, hidden, vocabulary);
  const Loss expected = loss_of(reference, rows, hidden, vocabulary);
  const double error = std::max({relative_error(actual.losses, expected.losses),
                                 relative_error(actual.hidden_gradient, expected.hidden_gradient),
                                 relative_error(actual.head_gradient, expected.head_gradient)});
  report.add("loss in chunks: " + std::to_string(rows) + " x " + std::to_string(vocabulary),
             error <= kTolerance, error,
             formatted("relative error %.2e", error) + formatted(", tolerance %.2e", kTolerance));
}

struct Text {
  std::vector<int32_t> tokens;
  int64_t steps = 0;
};

Text generate(const Model& model, GenerationRequest request) {
  Decoder decoder(model, std::move(request));
  decoder.prefill({});
  Text text;
  for (FinishReason finish = FinishReason::kNone; finish == FinishReason::kNone; ++text.steps) {
    const DecodingStep step = decoder.step();
    text.tokens.insert(text.tokens.end(), step.tokens.begin(), step.tokens.end());
    finish = step.finish;
  }
  return text;
}

void check_losslessness(Report& report, const std::string& name, const Model& model, int64_t prompts,
                        int64_t prompt_length, int64_t new_tokens, double temperature) {
  int64_t different = 0, tokens = 0, steps = 0;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    GenerationRequest request;
    request.prompt = random_tokens(prompt_length + 7 * prompt, model.shape().vocabulary_size,
                                   static_cast<uint64_t>(100 + prompt));
    request.max_new_tokens = new_tokens;
    request.sampling.temperature = temperature;
    request.sampling.top_k = temperature > 0 ? 20 : 0;
    request.sampling.seed = 5;
    const Text plain = generate(model, request);
    request.decoding.paths = paper_paths(request.decoding.depth, request.decoding.width);
    const Text tree = generate(model, request);
    different += tree.tokens != plain.tokens;
    tokens += static_cast<int64_t>(tree.tokens.size());
    steps += tree.steps;
  }
  report.add((temperature > 0 ? "lossless, sampled: " : "lossless, greedy: ") + name, different == 0,
             static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(prompts) +
                 " texts differ from autoregressive ones" +
                 formatted("; %.2f tokens a step", static_cast<double>(tokens) / static_cast<double>(steps)));
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

void check_training(Report& report, const std::string& name, const ModelShape& shape,
                    const std::shared_ptr<Backend>& backend, const std::shared_ptr<Backend>& reference,
                    int64_t steps, int64_t documents, int64_t length) {
  TrainerOptions options;
  options.noise.enabled = true;
  RandomTensors weights(shape, 3, 0.05), same_weights(shape, 3, 0.05);
  Trainer trainer(backend, shape, weights, options), expected(reference, shape, same_weights, options);
  double largest = 0, first = 0, last = 0;
  const MicroBatch batch = learnable_batch(documents, length, shape.vocabulary_size);
  for (int64_t step = 0; step < steps; ++step) {
    const double loss = trainer.step({&batch, 1}, 0, kLearningRate, {}).loss;
    const double expected_loss = expected.step({&batch, 1}, 0, kLearningRate, {}).loss;
    if (step == 0) first = loss;
    largest = std::max(largest, std::abs(loss - expected_loss) / first);
    last = loss;
  }
  report.add("training: " + name, largest <= kLossTolerance && last < first, largest,
             formatted("loss %.4f", first) + formatted(" to %.4f", last) +
                 formatted(", at most %.2e of the first from the CPU's", largest) +
                 formatted(", tolerance %.2e", kLossTolerance));
}

// Two runs of the same steps give the same bits.
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
  report.add("training twice: " + name, losses[0] == losses[1], losses[0] == losses[1] ? 0 : 1,
             losses[0] == losses[1] ? "the same bits" : "losses or gradient norms differ");
}

void check_random_models(Report& report, const std::shared_ptr<Backend>& backend, bool tiny) {
  const std::shared_ptr<Backend> cpu = make_backend({.device = "cpu"}, nullptr);
  for (const auto& [name, shape] : random_shapes(tiny)) {
    RandomTensors weights(shape, 1, 0.05), same_weights(shape, 1, 0.05);
    const Model model(backend, shape, weights, Dtype::kBf16, {}, {});
    const Model reference(cpu, shape, same_weights, Dtype::kBf16, {}, {});
    // Into the second closed block of positions, and beyond the window.
    check_logits(report, name, model, reference, 150);
    check_exactness(report, name, model, tiny ? 100 : 150);
    check_losslessness(report, name, model, tiny ? 1 : 6, 60, tiny ? 24 : 200, 0);
    check_losslessness(report, name, model, tiny ? 1 : 3, 60, tiny ? 12 : 100, 0.8);
  }
  if (tiny)
    check_loss(report, *backend, *cpu, 300, 16, 4096);
  else
    check_loss(report, *backend, *cpu, 3000, 64, 128256);
  const NamedShape trained = random_shapes(tiny)[tiny ? 0 : 2];
  const int64_t steps = tiny ? 3 : 20, documents = tiny ? 3 : 8, length = tiny ? 20 : 200;
  check_training(report, trained.name, trained.shape, backend, cpu, steps, documents, length);
  check_repeatable_training(report, trained.name, trained.shape, backend, tiny ? 2 : 5, documents, length);
}

int run(Arguments& arguments) {
  const std::string device = arguments.text("device", "cuda"), size = arguments.text("size", "full");
  const std::string table_path = arguments.text("model-table", ""), results = arguments.text("results", "");
  arguments.refuse_unknown();
  if (size != "full" && size != "tiny")
    throw Error(ErrorCode::kInvalidArgument, "expected full or tiny, received " + size, "--size");
  const std::shared_ptr<Backend> backend = open_backend(device);
  Report report(*backend, results);
  if (table_path.empty()) {
    check_random_models(report, backend, size == "tiny");
  } else {
    const ModelTable table = read_model_table(table_path);
    MappedTensors weights(table.tensors);
    const Model model(backend, table.shape, weights, Dtype::kBf16, {}, {});
    check_losslessness(report, table_path, model, size == "tiny" ? 1 : 10, size == "tiny" ? 8 : 100,
                       size == "tiny" ? 8 : 256, 0);
  }
  return report.failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace msn::gpu

int main(int count, char** values) { return msn::gpu::run_program(count, values, msn::gpu::run); }
