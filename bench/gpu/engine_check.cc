// Holds an engine against the CPU engine on models of random weights, and against itself: logits, exactness,
// losslessness, training.
//   engine_check [--device cuda] [--size full | tiny] [--part NAME] [--model-table FILE] [--results FILE]
// --part: one part of the checks alone; list: their names. With --model-table (model_table.py) only losslessness, on
// that model. A check that fails says where, so that the fault can be found on a machine without the device.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>

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
    last_ = check;
    Record record("check");
    describe(record, backend_)
        .text("check", check)
        .boolean("passed", passed)
        .number("value", value)
        .text("detail", detail)
        .write(results_);
  }
  // Checks that belong together; an error ends them, and fails what would have come next.
  void part(const std::string& name, const std::function<void()>& checks) {
    try {
      checks();
    } catch (const std::exception& error) {
      add(name, false, NAN, std::string("behind \"") + last_ + "\": " + error.what());
    }
  }
  int failed() const { return failed_; }

 private:
  const Backend& backend_;
  const std::string results_;
  std::string last_ = "nothing";
  int failed_ = 0;
};

std::string formatted(const char* format, auto... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
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

// The element that differs most, as row and column of rows of `width`, and how many are not finite.
std::string worst_element(const std::vector<float>& actual, const std::vector<float>& expected, size_t width) {
  size_t worst = 0;
  int64_t not_finite = 0;
  double largest = -1;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(double{actual[i]} - expected[i]);
    not_finite += !std::isfinite(actual[i]);
    if (difference <= largest) continue;
    largest = std::isnan(difference) ? INFINITY : difference;
    worst = i;
  }
  return formatted("worst at [%zu, %zu]: expected %.9g, received %.9g; %lld not finite", worst / width,
                   worst % width, double{expected[worst]}, double{actual[worst]},
                   static_cast<long long>(not_finite));
}

// The relative error of every row that is beyond the tolerance.
std::string wrong_rows(const std::vector<float>& actual, const std::vector<float>& expected, size_t width,
                       double tolerance) {
  std::string text;
  for (size_t row = 0; row * width < expected.size(); ++row) {
    const auto part = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + row * width, all.begin() + (row + 1) * width);
    };
    const double error = relative_error(part(actual), part(expected));
    if (!(error <= tolerance)) text += formatted(" %zu (%.2e)", row, error);
  }
  return text;
}

void check_logits(Report& report, const std::string& name, const Model& model, const Model& reference,
                  int64_t prefix) {
  const Tree tree = random_tree(model.shape(), prefix);
  const std::vector<float> actual = logits_of(model, tree), expected = logits_of(reference, tree);
  const size_t width = static_cast<size_t>(model.shape().vocabulary_size);
  const double error = relative_error(actual, expected);
  const bool passed = error <= kLogitTolerance;
  std::string detail = formatted("relative error %.2e, tolerance %.2e", error, kLogitTolerance);
  if (!passed)
    detail += "; nodes beyond it, prefix " + std::to_string(prefix) + ":" +
              wrong_rows(actual, expected, width, kLogitTolerance) + "; " +
              worst_element(actual, expected, width);
  report.add("logits: " + name, passed, error, detail);
}

// Where one row of logits differs from another that should have its bits; empty: nowhere.
std::string row_difference(const float* alone, const float* together, size_t width) {
  size_t different = 0, first = 0;
  double largest = 0;
  for (size_t i = width; i-- > 0;) {
    if (std::memcmp(&alone[i], &together[i], sizeof(float)) == 0) continue;
    ++different;
    first = i;
    largest = std::max(largest, std::abs(double{alone[i]} - together[i]));
  }
  if (different == 0) return "";
  return formatted("%zu of %zu logits, first [%zu]: alone %.9g, in the tree %.9g, largest difference %.3g",
                   different, width, first, double{alone[first]}, double{together[first]}, largest);
}

// Every node of a tree has the bits that its path alone, a chain, gives.
void check_exactness(Report& report, const std::string& name, const Model& model, int64_t prefix) {
  constexpr int64_t kInFull = 3;
  const Tree tree = random_tree(model.shape(), prefix);
  const size_t vocabulary = static_cast<size_t>(model.shape().vocabulary_size);
  const std::vector<float> together = logits_of(model, tree);
  int64_t different = 0;
  std::string where;
  for (size_t node = 0; node < tree.tokens.size(); ++node) {
    Tree path;
    path.prefix = tree.prefix;
    for (int32_t at = static_cast<int32_t>(node); at >= 0; at = tree.parents[at])
      path.tokens.insert(path.tokens.begin(), tree.tokens[at]);
    for (size_t i = 0; i < path.tokens.size(); ++i) path.parents.push_back(static_cast<int32_t>(i) - 1);
    const std::vector<float> alone = logits_of(model, path);
    const std::string difference = row_difference(alone.data() + (path.tokens.size() - 1) * vocabulary,
                                                  together.data() + node * vocabulary, vocabulary);
    if (difference.empty()) continue;
    if (++different <= kInFull)
      where += formatted("; node %zu at position %lld: ", node,
                         static_cast<long long>(prefix + static_cast<int64_t>(path.tokens.size()) - 1)) +
               difference;
  }
  report.add("exactness: " + name, different == 0, static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(tree.tokens.size()) +
                 " nodes of a tree differ from the chain of their path" + where);
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

// The place where two texts part, and the logits of both tokens there, computed in one pass.
std::string parting(const Model& model, const std::vector<int32_t>& prompt, const Text& plain, const Text& tree) {
  const size_t shorter = std::min(plain.tokens.size(), tree.tokens.size());
  size_t at = 0;
  while (at < shorter && plain.tokens[at] == tree.tokens[at]) ++at;
  if (at == shorter)
    return formatted("%zu tokens alone, %zu in trees", plain.tokens.size(), tree.tokens.size());
  std::vector<int32_t> before = prompt;
  before.insert(before.end(), plain.tokens.begin(), plain.tokens.begin() + static_cast<int64_t>(at));
  const int32_t last = before.back();
  before.pop_back();
  const std::vector<float> logits =
      pass_logits(model, {.prefix = std::move(before), .tokens = {last}, .parents = {-1}}, {});
  const int32_t alone = plain.tokens[at], in_tree = tree.tokens[at];
  return formatted("token %zu (position %zu): alone %d (logit %.9g), in trees %d (logit %.9g), highest %.9g", at,
                   prompt.size() + at, alone, double{logits[alone]}, in_tree, double{logits[in_tree]},
                   double{*std::max_element(logits.begin(), logits.end())});
}

void check_losslessness(Report& report, const std::string& name, const Model& model, int64_t prompts,
                        int64_t prompt_length, int64_t new_tokens, double temperature) {
  int64_t different = 0, tokens = 0, steps = 0;
  std::string where;
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
    tokens += static_cast<int64_t>(tree.tokens.size());
    steps += tree.steps;
    if (tree.tokens == plain.tokens) continue;
    ++different;
    where += "; text " + std::to_string(prompt) + ": " + parting(model, request.prompt, plain, tree);
  }
  report.add((temperature > 0 ? "lossless, sampled: " : "lossless, greedy: ") + name, different == 0,
             static_cast<double>(different),
             std::to_string(different) + " of " + std::to_string(prompts) +
                 " texts differ from autoregressive ones" +
                 formatted("; %.2f tokens a step", static_cast<double>(tokens) / static_cast<double>(steps)) +
                 where);
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
  size_t same = 0;
  while (same < losses[0].size() && losses[0][same] == losses[1][same]) ++same;
  const bool passed = same == losses[0].size();
  report.add("training twice: " + name, passed, passed ? 0 : 1,
             passed ? "the same bits"
                    : formatted("the %s of step %zu: %.17g, then %.17g", same % 2 == 0 ? "loss" : "gradient norm",
                                same / 2, losses[0][same], losses[1][same]));
}

void check_random_model(Report& report, const std::shared_ptr<Backend>& backend, const NamedShape& named,
                        bool tiny) {
  const auto& [name, shape] = named;
  const std::shared_ptr<Backend> cpu = make_backend({.device = "cpu"}, nullptr);
  RandomTensors weights(shape, 1, 0.05), same_weights(shape, 1, 0.05);
  const Model model(backend, shape, weights, Dtype::kBf16, {}, {});
  const Model reference(cpu, shape, same_weights, Dtype::kBf16, {}, {});
  // Into the second closed block of positions, and beyond the window.
  check_logits(report, name, model, reference, 150);
  check_exactness(report, name, model, tiny ? 100 : 150);
  check_losslessness(report, name, model, tiny ? 1 : 6, 60, tiny ? 24 : 200, 0);
  check_losslessness(report, name, model, tiny ? 1 : 3, 60, tiny ? 12 : 100, 0.8);
}

void check_random_training(Report& report, const std::shared_ptr<Backend>& backend, bool tiny) {
  const std::shared_ptr<Backend> cpu = make_backend({.device = "cpu"}, nullptr);
  const auto [name, shape] = random_shapes(tiny)[tiny ? 0 : 2];
  const int64_t documents = tiny ? 3 : 8, length = tiny ? 20 : 200;
  check_repeatable_training(report, name, shape, backend, tiny ? 2 : 5, documents, length);
  check_training(report, name, shape, backend, cpu, tiny ? 3 : 20, documents, length);
}

// A part of the checks that stands for itself: gpu-verify.sh runs each in a process of its own.
struct Part {
  std::string name;
  std::function<void(Report&, const std::shared_ptr<Backend>&)> run;
};

std::vector<Part> all_parts(bool tiny) {
  std::vector<Part> parts;
  for (const NamedShape& named : random_shapes(tiny))
    parts.push_back({named.name, [named, tiny](Report& report, const std::shared_ptr<Backend>& backend) {
                       check_random_model(report, backend, named, tiny);
                     }});
  parts.push_back({"loss in chunks", [tiny](Report& report, const std::shared_ptr<Backend>& backend) {
                     const std::shared_ptr<Backend> cpu = make_backend({.device = "cpu"}, nullptr);
                     if (tiny)
                       check_loss(report, *backend, *cpu, 300, 16, 4096);
                     else
                       check_loss(report, *backend, *cpu, 3000, 64, 128256);
                   }});
  parts.push_back({"training", [tiny](Report& report, const std::shared_ptr<Backend>& backend) {
                     check_random_training(report, backend, tiny);
                   }});
  return parts;
}

void check_model_table(Report& report, const std::shared_ptr<Backend>& backend, const std::string& path,
                       bool tiny) {
  const ModelTable table = read_model_table(path);
  MappedTensors weights(table.tensors);
  const Model model(backend, table.shape, weights, Dtype::kBf16, {}, {});
  check_losslessness(report, path, model, tiny ? 1 : 10, tiny ? 8 : 100, tiny ? 8 : 256, 0);
}

int run(Arguments& arguments) {
  const std::string device = arguments.text("device", "cuda"), size = arguments.text("size", "full");
  const std::string table_path = arguments.text("model-table", ""), results = arguments.text("results", "");
  const std::string wanted = arguments.text("part", "");
  arguments.refuse_unknown();
  if (size != "full" && size != "tiny")
    throw Error(ErrorCode::kInvalidArgument, "expected full or tiny, received " + size, "--size");
  const bool tiny = size == "tiny";
  std::vector<Part> parts = all_parts(tiny);
  if (wanted == "list") {
    for (const Part& part : parts) std::puts(part.name.c_str());
    return 0;
  }
  if (!table_path.empty())
    parts = {{table_path, [&](Report& report, const std::shared_ptr<Backend>& backend) {
                check_model_table(report, backend, table_path, tiny);
              }}};
  else if (!wanted.empty())
    std::erase_if(parts, [&](const Part& part) { return part.name != wanted; });
  if (parts.empty())
    throw Error(ErrorCode::kInvalidArgument, "no part is named " + wanted + "; list names them", "--part");
  const std::shared_ptr<Backend> backend = open_backend(device);
  Report report(*backend, results);
  for (const Part& part : parts) report.part(part.name, [&] { part.run(report, backend); });
  return report.failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace msn::gpu

int main(int count, char** values) { return msn::gpu::run_program(count, values, msn::gpu::run); }
