// Memory and transfer of AdamW's moments.
#include "model/training_moments.h"

#include <algorithm>
#include <cmath>

#include "base/moment_codes.h"
#include "base/parallel.h"
#include "ops/adamw.h"

namespace msn {
namespace {

int64_t blocks_of(int64_t elements) { return (elements + kMomentBlock - 1) / kMomentBlock; }

uint8_t code_of(MomentKind kind, float scaled) {
  return kind == MomentKind::kFirst ? first_moment_code(scaled) : second_moment_code(scaled);
}

float value_of(MomentKind kind, uint8_t code) {
  return kind == MomentKind::kFirst ? first_moment_value(code) : second_moment_value(code);
}

// Codes of one block of at most kMomentBlock moments; returns its scale.
float encode(MomentKind kind, std::span<const float> moments, uint8_t* codes) {
  float largest = 0;
  for (const float moment : moments) largest = std::max(largest, std::fabs(moment));
  const float scale = moment_scale(largest), inverse = inverse_moment_scale(scale);
  for (const float moment : moments) *codes++ = code_of(kind, moment * inverse);
  return scale;
}

}  // namespace

MomentSet::MomentSet(Backend& backend, std::shared_ptr<const ParameterLayout> layout, MomentKind kind,
                     MomentFormat format)
    : backend_(backend), layout_(std::move(layout)), kind_(kind), format_(format) {
  const int64_t elements = layout_->elements();
  const bool coded = format == MomentFormat::k8Bit;
  values_ = backend.allocate(coded ? elements : elements * dtype_size(Dtype::kF32));
  if (coded) scales_ = backend.allocate(blocks_of(elements) * dtype_size(Dtype::kF32));
}

Moments MomentSet::matrices() const { return part(0, layout_->matrix_elements()); }

Moments MomentSet::vectors() const {
  return part(layout_->matrix_elements(), layout_->elements() - layout_->matrix_elements());
}

Moments MomentSet::part(int64_t first, int64_t elements) const {
  if (format_ == MomentFormat::kF32)
    return {{static_cast<float*>(values_.data()) + first, Dtype::kF32, {elements}}, {}};
  return {{static_cast<uint8_t*>(values_.data()) + first, Dtype::kU8, {elements}},
          {static_cast<float*>(scales_.data()) + first / kMomentBlock, Dtype::kF32, {blocks_of(elements)}}};
}

void MomentSet::read_from(TensorSource& source) {
  read_groups(*layout_, source, backend_.info().threads,
              [&](const ParameterGroup& group, std::span<const float> values) {
                if (format_ == MomentFormat::k8Bit) return write_coded(group, values);
                backend_.copy_from_host(static_cast<float*>(values_.data()) + group.offset, values.data(),
                                        static_cast<int64_t>(values.size_bytes()));
              });
}

void MomentSet::write_coded(const ParameterGroup& group, std::span<const float> values) {
  constexpr int64_t kBlocksWorthAThread = 256;
  std::vector<uint8_t> codes(values.size());
  std::vector<float> scales(static_cast<size_t>(blocks_of(group.elements)));
  parallel_ranges(static_cast<int64_t>(scales.size()), kBlocksWorthAThread, backend_.info().threads,
                  [&](int64_t first, int64_t last) {
                    for (int64_t block = first; block < last; ++block) {
                      const int64_t begin = block * kMomentBlock;
                      const int64_t size = std::min(kMomentBlock, group.elements - begin);
                      scales[block] = encode(kind_, values.subspan(begin, size), codes.data() + begin);
                    }
                  });
  const Moments to = part(group.offset, group.elements);
  backend_.copy_from_host(to.values.data, codes.data(), to.values.bytes());
  backend_.copy_from_host(to.scales.data, scales.data(), to.scales.bytes());
}

void MomentSet::write_to_host(const TensorSpec& spec, float* values) const {
  const int64_t first = layout_->offset(spec.name), elements = element_count(spec);
  if (format_ == MomentFormat::kF32) {
    const Tensor from = part(first, elements).values;
    return backend_.copy_to_host(values, from.data, from.bytes());
  }
  const int64_t lead = first % kMomentBlock;  // a tensor may begin inside of a block of its group
  const Moments from = part(first - lead, lead + elements);
  std::vector<uint8_t> codes(static_cast<size_t>(from.values.elements()));
  std::vector<float> scales(static_cast<size_t>(from.scales.elements()));
  backend_.copy_to_host(codes.data(), from.values.data, from.values.bytes());
  backend_.copy_to_host(scales.data(), from.scales.data, from.scales.bytes());
  for (int64_t i = 0; i < elements; ++i)
    values[i] = value_of(kind_, codes[lead + i]) * scales[(lead + i) / kMomentBlock];
}

}  // namespace msn
