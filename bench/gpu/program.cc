#include "program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/philox.h"

namespace msn::gpu {
namespace {

constexpr int64_t kRunOfNumbers = 1 << 22;

Error invalid(const std::string& message, const std::string& where) {
  return Error(ErrorCode::kInvalidArgument, message, where);
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    if (static_cast<unsigned char>(letter) < 0x20) continue;
    result += letter;
  }
  return result + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

Arguments::Arguments(int count, char** values) {
  for (int i = 1; i < count; i += 2) {
    const std::string name = values[i];
    if (name.rfind("--", 0) != 0 || i + 1 == count)
      throw invalid("expected --name value pairs, received " + name, "arguments");
    values_[name.substr(2)] = values[i + 1];
  }
}

std::string Arguments::text(const std::string& name, const std::string& fallback) {
  known_[name] = true;
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second;
}

int64_t Arguments::integer(const std::string& name, int64_t fallback) {
  return integers(name, std::to_string(fallback)).front();
}

std::vector<int64_t> Arguments::integers(const std::string& name, const std::string& fallback) {
  std::vector<int64_t> result;
  std::istringstream list(text(name, fallback));
  for (std::string item; std::getline(list, item, ',');) {
    size_t read = 0;
    try {
      result.push_back(std::stoll(item, &read));
    } catch (const std::exception&) {
      read = 0;
    }
    if (read == 0 || read != item.size()) throw invalid("expected integers, received " + item, "--" + name);
  }
  if (result.empty()) throw invalid("expected at least one integer", "--" + name);
  return result;
}

void Arguments::refuse_unknown() const {
  for (const auto& [name, value] : values_)
    if (!known_.contains(name)) throw invalid("no such argument", "--" + name);
}

Record& Record::raw(const std::string& name, const std::string& value) {
  json_ += (json_.empty() ? "{" : ", ") + quoted(name) + ": " + value;
  return *this;
}
Record& Record::text(const std::string& name, const std::string& value) { return raw(name, quoted(value)); }
Record& Record::number(const std::string& name, double value) { return raw(name, json_number(value)); }
Record& Record::integer(const std::string& name, int64_t value) { return raw(name, std::to_string(value)); }
Record& Record::boolean(const std::string& name, bool value) { return raw(name, value ? "true" : "false"); }

Record& Record::numbers(const std::string& name, const std::vector<double>& values) {
  std::string list;
  for (const double value : values) list += (list.empty() ? "" : ", ") + json_number(value);
  return raw(name, "[" + list + "]");
}

void Record::write(const std::string& path) const {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::app);
  file << json_ << "}\n";
  file.flush();
  if (!file) throw Error(ErrorCode::kInternal, "cannot append to " + path, "results");
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
}

ModelShape shape_of(const std::string& name) {
  ModelShape shape;
  shape.vocabulary_size = 128256;
  shape.kv_heads = 8;
  shape.heads = 32;
  shape.context_length = 131072;
  shape.rope = {RopeKind::kLlama3, 500000.0, 8.0, 1.0, 4.0, 8192};
  if (name == "1b") {
    shape.hidden_size = 2048;
    shape.intermediate_size = 8192;
    shape.layers = 16;
    shape.head_dim = 64;
    shape.tied_head = true;
    shape.rope.factor = 32.0;
  } else if (name == "8b") {
    shape.hidden_size = 4096;
    shape.intermediate_size = 14336;
    shape.layers = 32;
    shape.head_dim = 128;
  } else if (name == "tiny") {
    shape.vocabulary_size = 256;
    shape.hidden_size = 64;
    shape.intermediate_size = 96;
    shape.layers = 2;
    shape.heads = 4;
    shape.kv_heads = 2;
    shape.head_dim = 16;
    shape.context_length = 512;
    shape.tied_head = true;
  } else {
    throw invalid("expected 1b, 8b or tiny, received " + name, "--model");
  }
  return shape;
}

int64_t multiplied_parameters(const ModelShape& shape) {
  const int64_t of_layer = (shape.qkv_size() + shape.heads * shape.head_dim) * shape.hidden_size +
                           3 * shape.intermediate_size * shape.hidden_size;
  return shape.layers * of_layer + shape.vocabulary_size * shape.hidden_size;
}

RepeatedTensors::RepeatedTensors(const ModelShape& shape) {
  int64_t largest = 0;
  for (const TensorSpec& spec : tensor_specs(shape)) largest = std::max(largest, element_count(spec));
  numbers_.resize(static_cast<size_t>(largest + kRunOfNumbers));
  for (int64_t i = 0; i < kRunOfNumbers; ++i) {
    const RandomDraw draw(0, RandomStream::kInitialization, static_cast<uint32_t>(i));
    const double radius = std::sqrt(-2 * std::log(1 - draw.unit()));
    numbers_[i] = static_cast<float>(0.02 * radius * std::cos(6.283185307179586 * draw.words().x2 * 0x1p-32));
  }
  for (size_t i = kRunOfNumbers; i < numbers_.size(); ++i) numbers_[i] = numbers_[i - kRunOfNumbers];
  ones_.assign(static_cast<size_t>(std::max(shape.hidden_size, shape.head_dim)), 1.0f);
  zeros_.assign(static_cast<size_t>(shape.qkv_size()), 0.0f);
}

Tensor RepeatedTensors::tensor(const TensorSpec& spec) {
  Tensor view;
  view.rank = static_cast<int>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), view.shape.begin());
  if (spec.name.ends_with("norm.weight")) {
    view.data = ones_.data();
  } else if (spec.name.ends_with(".bias")) {
    view.data = zeros_.data();
  } else {
    view.data = numbers_.data() + next_;
    next_ = (next_ + 77777) % kRunOfNumbers;
  }
  return view;
}

std::vector<int32_t> random_tokens(int64_t count, int64_t vocabulary, uint64_t seed) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    tokens[i] = static_cast<int32_t>(RandomDraw(seed, RandomStream::kNoiseToken, static_cast<uint32_t>(i))
                                         .bounded(static_cast<uint32_t>(vocabulary)));
  return tokens;
}

std::shared_ptr<Backend> open_backend(const std::string& device) {
  BackendOptions options;
  options.device = device;
  std::shared_ptr<Backend> backend = make_backend(options, nullptr);
  const DeviceInfo info = backend->info();
  std::printf("%s: %s%s%s%s\n", info.kind.c_str(), info.name.c_str(), info.shim ? " (host shim)" : "",
              info.library.empty() ? "" : "; large products: ", info.library.c_str());
  std::fflush(stdout);
  return backend;
}

Record& describe(Record& record, const Backend& backend) {
  const DeviceInfo info = backend.info();
  return record.text("device", info.kind)
      .text("deviceName", info.name)
      .boolean("shim", info.shim)
      .text("library", info.library);
}

int run_program(int count, char** values, const std::function<int(Arguments&)>& body) {
  try {
    Arguments arguments(count, values);
    return body(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", values[0], error.what());
    return 1;
  }
}

}  // namespace msn::gpu
