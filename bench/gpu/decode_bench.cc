// Times decoding of a model of random weights: single passes as PyTorch would take them, and whole steps of
// TR-Jacobi (draft, pass, choice, acceptance, compaction, next guesses), which the host waits for once each.
//   decode_bench [--device cuda] [--model 8b] [--dtype bf16] [--contexts 1024,32768] [--nodes 1,64]
//                [--profile 0] [--warm-up 50] [--repeats 100] [--results FILE]
// --profile: where a pass of so many nodes spends its time, e.g. 1,64; 0: not asked for.
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/stopwatch.h"
#include "profile.h"
#include "program.h"
#include "runtime/decoding.h"
#include "runtime/draft_tree.h"
#include "runtime/passes.h"

namespace msn::gpu {
namespace {

struct Bench {
  const Model& model;
  std::string name;
  std::string results;
  int64_t warm_up;
  int64_t repeats;
};

// What a pass cannot do without reading: every weight once, and every cached key and value.
int64_t bytes_read(const Model& model, int64_t context) {
  const ModelShape& shape = model.shape();
  const int64_t weight_bytes = dtype_size(model.dtype());
  return multiplied_parameters(shape) * weight_bytes + 2 * shape.layers * shape.kv_heads * shape.head_dim *
                                                           context *
                                                           dtype_size(model.backend().traits().activations);
}

Record record_of(const Bench& bench, const char* kind, int64_t context, int64_t nodes,
                 const std::vector<double>& milliseconds) {
  const Spread spread = spread_of(milliseconds);
  const double gigabytes = static_cast<double>(bytes_read(bench.model, context)) / spread.median / 1e6;
  const double mean = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0) /
                      static_cast<double>(milliseconds.size());
  std::printf(
      "%-5s %-5s context %6lld, %3lld positions: median %8.3f ms (%.3f to %.3f, mean %.3f), %.0f GB/s\n", kind,
      bench.name.c_str(), static_cast<long long>(context), static_cast<long long>(nodes), spread.median,
      spread.lowest, spread.highest, mean, gigabytes);
  std::fflush(stdout);
  Record record(kind);
  describe(record, bench.model.backend())
      .text("model", bench.name)
      .text("dtype", dtype_name(bench.model.dtype()))
      .integer("context", context)
      .integer("positions", nodes)
      .integer("bytesRead", bytes_read(bench.model, context))
      .number("gigabytesPerSecond", gigabytes)
      .number("medianMs", spread.median)
      .number("lowestMs", spread.lowest)
      .number("highestMs", spread.highest)
      .number("meanMs", mean)
      .integer("repeats", static_cast<int64_t>(milliseconds.size()));
  return record;
}

void time_forward(const Bench& bench, int64_t context, int64_t nodes) {
  std::vector<double> milliseconds = time_passes(
      bench.model,
      {.nodes = nodes, .prefix = context, .repeats = bench.warm_up + bench.repeats, .with_logits = true}, {});
  milliseconds.erase(milliseconds.begin(), milliseconds.begin() + bench.warm_up);
  record_of(bench, "pass", context, nodes, milliseconds).write(bench.results);
}

void time_steps(const Bench& bench, int64_t context, int64_t nodes) {
  GenerationRequest request;
  request.prompt = random_tokens(context, bench.model.shape().vocabulary_size, 1);
  request.decoding.paths =
      node_paths(static_cast<int32_t>(nodes), request.decoding.depth, request.decoding.width);
  request.max_new_tokens = (bench.warm_up + bench.repeats) * (request.decoding.depth + 1) + 1;
  Decoder decoder(bench.model, std::move(request));
  const Stopwatch prefill;
  decoder.prefill({});
  bench.model.backend().synchronize();
  const double prefill_ms = prefill.milliseconds();
  int64_t tokens = 0;
  std::vector<double> milliseconds;
  for (int64_t step = 0; step < bench.warm_up + bench.repeats; ++step) {
    const Stopwatch stopwatch;
    const DecodingStep done = decoder.step();
    if (step >= bench.warm_up) {
      milliseconds.push_back(stopwatch.milliseconds());
      tokens += static_cast<int64_t>(done.tokens.size());
    }
    if (done.finish != FinishReason::kNone) break;
  }
  record_of(bench, "step", context, nodes, milliseconds)
      .number("prefillMs", prefill_ms)
      .integer("tokens", tokens)
      .write(bench.results);
}

void profile(const Bench& bench, ProfiledBackend& backend, int64_t context, int64_t nodes) {
  Record fields("profile");
  describe(fields, backend)
      .text("model", bench.name)
      .text("dtype", dtype_name(bench.model.dtype()))
      .integer("context", context)
      .integer("positions", nodes);
  const std::string what = "a pass of " + bench.name + ", context " + std::to_string(context) + ", " +
                           std::to_string(nodes) + " positions, each kind of operation replayed alone";
  write_profile(profile_pass(bench.model, backend, context, nodes), what, fields, bench.results);
}

int run(Arguments& arguments) {
  const std::string device = arguments.text("device", "cuda"), name = arguments.text("model", "8b");
  const std::string dtype = arguments.text("dtype", "bf16"), results = arguments.text("results", "");
  const std::vector<int64_t> contexts = arguments.integers("contexts", "1024,32768");
  const std::vector<int64_t> nodes = arguments.integers("nodes", "1,64");
  const std::vector<int64_t> profiled = arguments.integers("profile", "0");
  const int64_t warm_up = arguments.integer("warm-up", 50), repeats = arguments.integer("repeats", 100);
  arguments.refuse_unknown();
  const ModelShape shape = shape_of(name);
  const auto backend = std::make_shared<ProfiledBackend>(open_backend(device));
  const Stopwatch loading;
  RepeatedTensors weights(shape);
  const Model model(backend, shape, weights, dtype == "int8" ? Dtype::kI8 : Dtype::kBf16, {}, {});
  backend->synchronize();
  std::printf("%s: random weights after %.1f s\n", name.c_str(), loading.milliseconds() / 1000);
  std::fflush(stdout);
  const Bench bench = {model, name, results, warm_up, repeats};
  for (const int64_t context : contexts) {
    for (const int64_t count : nodes) {
      time_forward(bench, context, count);
      time_steps(bench, context, count);
    }
    for (const int64_t count : profiled)
      if (count > 0) profile(bench, *backend, context, count);
  }
  return 0;
}

}  // namespace
}  // namespace msn::gpu

int main(int count, char** values) { return msn::gpu::run_program(count, values, msn::gpu::run); }
