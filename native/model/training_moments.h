// AdamW's moments of a model's trained tensors: f32, or 8-bit codes with a scale for every block, which take
// a quarter of the memory (arXiv 2110.02861).
#pragma once
#include <memory>

#include "model/training_parameters.h"

namespace msn {

enum class MomentFormat { kF32, k8Bit };
enum class MomentKind { kFirst, kSecond };

// As AdamW takes them.
struct Moments {
  Tensor values;  // f32 [n], or u8 [n]: codes
  Tensor scales;  // f32 [n / kMomentBlock] or none
};

class MomentSet {
 public:
  // All zero at first.
  MomentSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout, MomentKind kind,
            MomentFormat format);
  Moments matrices() const;
  Moments vectors() const;
  int64_t bytes() const { return values_.bytes() + scales_.bytes(); }

  // Codes what is read where moments have 8 bits. What write_to_host gave comes back as the same codes and
  // scales. Throws as read_groups; some tensors are then new, some old.
  void read_from(TensorSource& source);
  void write_to_host(const TensorSpec& spec, float* values) const;

 private:
  Moments part(int64_t first, int64_t elements) const;
  void write_coded(const ParameterGroup& group, std::span<const float> values);

  Backend& backend_;
  std::shared_ptr<const ParameterLayout> layout_;
  const MomentKind kind_;
  const MomentFormat format_;
  Buffer values_;
  Buffer scales_;
};

}  // namespace msn
