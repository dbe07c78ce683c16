// Where weights come from: a mapped safetensors file, a trainer's master weights, or random numbers.
#pragma once
#include <cstddef>
#include <cstdint>
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
  // A view in host memory, valid until release() or the source's end; any alignment.
  // Throws ERR_MODEL_FORMAT when the tensor is missing or its shape differs.
  virtual Tensor tensor(const TensorSpec& spec) = 0;
  // Gives back the memory behind all views handed out so far; none of them is read again.
  virtual void release() {}
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

// Maps the files read-only and checks every bound against the real file sizes, overlaps included. A file that
// has shrunk since is noticed when a tensor is asked for.
class MappedTensors : public TensorSource {
 public:
  explicit MappedTensors(std::vector<TensorEntry> entries);
  ~MappedTensors() override;
  bool has(const std::string& name) const override;
  Tensor tensor(const TensorSpec& spec) override;
  // Tells the system that the pages read so far are not needed again, so that they do not count as resident.
  void release() override;

 private:
  struct Mapping;
  struct PageRange {
    std::byte* data;
    size_t bytes;
  };
  std::unordered_map<std::string, TensorEntry> entries_;
  std::unordered_map<std::string, std::unique_ptr<Mapping>> files_;
  std::vector<PageRange> handed_out_;
};

// Normal weights of standard deviation `initializer_range` (norms 1, biases 0), a function of (seed, tensor
// index, element) alone: Philox stream 7, counter (element / 2, tensor index), Box-Muller on the units of the
// words x0, x1 and x2, x3: the even element takes the cosine, the odd one the sine.
class RandomTensors : public TensorSource {
 public:
  RandomTensors(const ModelShape& shape, uint64_t seed, double initializer_range);
  bool has(const std::string& name) const override;
  Tensor tensor(const TensorSpec& spec) override;
  void release() override { values_.clear(); }

 private:
  struct Numbered {
    uint32_t index;  // in tensor_specs
    TensorSpec spec;
  };
  std::unordered_map<std::string, Numbered> tensors_;
  uint64_t seed_;
  double initializer_range_;
  std::vector<std::vector<float>> values_;
};

}  // namespace msn
