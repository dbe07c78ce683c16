// Holds an engine against the CPU engine on models of random weights, and against itself: logits, exactness,
// losslessness, training.
//   engine_check [--device cuda] [--size full | tiny] [--part NAME] [--model-table FILE] [--results FILE]
// --part: one part of the checks alone; list: their names. With --model-table (model_table.py) only losslessness, on
// that model. A check that fails says where, so that the fault can be found on a machine without the device.
#include <cstdio>
#include <functional>

#include "decoding_checks.h"
#include "model_table.h"
#include "program.h"
#include "training_checks.h"

namespace msn::gpu {
namespace {

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
