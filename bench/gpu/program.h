// What the GPU machine's programs share: arguments, results as lines of JSON, shapes of models.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "model/model_shape.h"
#include "model/tensor_source.h"

namespace msn::gpu {

// --name value pairs.
class Arguments {
 public:
  Arguments(int count, char** values);
  std::string text(const std::string& name, const std::string& fallback);
  int64_t integer(const std::string& name, int64_t fallback);
  std::vector<int64_t> integers(const std::string& name, const std::string& fallback);  // "1,64"
  // Throws ERR_INVALID_ARGUMENT for arguments that nobody asked for.
  void refuse_unknown() const;

 private:
  std::map<std::string, std::string> values_;
  std::map<std::string, bool> known_;
};

// One JSON object, to be appended as a line to a results file.
class Record {
 public:
  explicit Record(const std::string& kind) { text("kind", kind); }
  Record& text(const std::string& name, const std::string& value);
  Record& number(const std::string& name, double value);
  Record& integer(const std::string& name, int64_t value);
  Record& boolean(const std::string& name, bool value);
  Record& numbers(const std::string& name, const std::vector<double>& values);
  // Appends to `path`; an empty path: nowhere.
  void write(const std::string& path) const;

 private:
  Record& raw(const std::string& name, const std::string& value);
  std::string json_;
};

struct Spread {
  double lowest, median, highest;
};
Spread spread_of(std::vector<double> values);  // at least one

// "1b" and "8b" as Llama 3.2 1B and Llama 3.1 8B, "tiny" for the shim. Throws ERR_INVALID_ARGUMENT.
ModelShape shape_of(const std::string& name);
// Parameters that one forward pass multiplies with: all matrices, the embedding only as the head.
int64_t multiplied_parameters(const ModelShape& shape);

// Weights of the right size for a bench, cheap to make: one run of normal numbers, standard deviation 0.02,
// from which every matrix starts at another place; norms are 1, biases 0.
class RepeatedTensors : public TensorSource {
 public:
  explicit RepeatedTensors(const ModelShape& shape);
  bool has(const std::string&) const override { return true; }
  Tensor tensor(const TensorSpec& spec) override;

 private:
  std::vector<float> numbers_;
  std::vector<float> ones_, zeros_;
  int64_t next_ = 0;
};

// Pseudo-random token ids, the same for the same seed.
std::vector<int32_t> random_tokens(int64_t count, int64_t vocabulary, uint64_t seed);

// The device's backend, and a line about it on stdout.
std::shared_ptr<Backend> open_backend(const std::string& device);
// Fields of the results that say where they were measured.
Record& describe(Record& record, const Backend& backend);

// Runs `body` and turns what it throws into a message and exit status 1.
int run_program(int count, char** values, const std::function<int(Arguments&)>& body);

}  // namespace msn::gpu
