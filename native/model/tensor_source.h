// Where weights come from: a mapped safetensors file, a trainer's master weights, or random numbers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/model_shape.h"
#include "ops/tensor.h"

namespace msn {

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual bool has(const std::string& name) const = 0;
  // A view in host memory, valid until the next call or the source's end; any alignment.
  // Throws ERR_MODEL_FORMAT when the tensor is missing or its shape differs.
  virtual Tensor tensor(const TensorSpec& spec) = 0;
};

// One row of the table that TypeScript reads from the safetensors headers; offsets are bytes in `file`.
struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::string file;
  int64_t begin = 0;
  int64_t end = 0;
};

// Maps the files read-only and checks every bound against the real file sizes, overlaps included.
class MappedTensors : public TensorSource {
 public:
  explicit MappedTensors(std::vector<TensorEntry> entries);
  ~MappedTensors() override;
  bool has(const std::string& name) const override;
  Tensor tensor(const TensorSpec& spec) override;
  // Tells the system that the pages of this tensor are not needed again, so that they do not count as resident.
  void release(const std::string& name);

 private:
  struct Mapping;
  std::unordered_map<std::string, TensorEntry> entries_;
  std::unordered_map<std::string, std::unique_ptr<Mapping>> files_;
};

// Normal weights of standard deviation `initializer_range` (norms 1, biases 0), a function of (seed, tensor
// index, element) alone: Philox stream 7, counter (element / 2, tensor index), Box-Muller on the two units.
class RandomTensors : public TensorSource {
 public:
  RandomTensors(const ModelShape& shape, uint64_t seed, double initializer_range);
  bool has(const std::string& name) const override;
  Tensor tensor(const TensorSpec& spec) override;

 private:
  std::unordered_map<std::string, uint32_t> index_;
  uint64_t seed_;
  double initializer_range_;
  std::vector<float> values_;
};

}  // namespace msn
