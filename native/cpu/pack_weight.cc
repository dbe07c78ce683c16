// Weights into the layout of packed_weight.h and back.
#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace msn::cpu::MSN_ISA {
namespace {

// Subnormal and special values included; every f16 value has an exact f32.
float f16_to_f32(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  uint32_t wide;
  if (magnitude >= 0x7c00u) {
    wide = 0x7f800000u | (magnitude & 0x3ffu) << 13;
  } else if (magnitude >= 0x400u) {
    wide = (magnitude << 13) + 0x38000000u;
  } else {
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    std::memcpy(&wide, &value, sizeof wide);
  }
  wide |= sign;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

template <class T>
T load_unaligned(const std::byte* memory, int64_t index) {
  T value;
  std::memcpy(&value, memory + index * static_cast<int64_t>(sizeof(T)), sizeof value);
  return value;
}

constexpr int64_t kChunk = 64;  // inputs at a time, so that the part that is turned stays in the first cache

// to[0 .. count) = row[first .. first + count). F64 goes through f32 to bf16, as in PyTorch.
void convert(const std::byte* row, Dtype dtype, int64_t first, int64_t count, float* to) {
  switch (dtype) {
    case Dtype::kF32:
      std::memcpy(to, row + 4 * first, static_cast<size_t>(4 * count));
      return;
    case Dtype::kBf16:
      for (int64_t i = 0; i < count; ++i) to[i] = bf16_to_f32(load_unaligned<uint16_t>(row, first + i));
      return;
    case Dtype::kF16:
      for (int64_t i = 0; i < count; ++i) to[i] = f16_to_f32(load_unaligned<uint16_t>(row, first + i));
      return;
    case Dtype::kF64:
      for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(load_unaligned<double>(row, first + i));
      return;
    case Dtype::kI32:
    case Dtype::kI8:
    case Dtype::kU8:
      return;
  }
}

void convert(const std::byte* row, Dtype dtype, int64_t first, int64_t count, uint16_t* to) {
  if (dtype == Dtype::kBf16) {
    std::memcpy(to, row + 2 * first, static_cast<size_t>(2 * count));
    return;
  }
  float values[kChunk];
  convert(row, dtype, first, count, values);
  for (int64_t i = 0; i < count; ++i) to[i] = f32_to_bf16(values[i]);
}

struct SourceRow {
  const std::byte* data = nullptr;  // null behind the last source
  Dtype dtype = Dtype::kF32;
};

SourceRow source_row(const Tensor* sources, int64_t count, int64_t row) {
  for (int64_t index = 0; index < count; ++index) {
    const Tensor& source = sources[index];
    if (row < source.shape[0])
      return {static_cast<const std::byte*>(source.data) + row * source.shape[1] * dtype_size(source.dtype),
              source.dtype};
    row -= source.shape[0];
  }
  return {};
}

// One panel, a chunk of inputs at a time: rows are read along, then written across, word by word. A word is
// an f32, or two bf16 that belong together. Value is what the panel holds.
template <class Value>
void pack_panel(const SourceRow (&rows)[kPanel], int64_t inputs, Value* panel) {
  constexpr int64_t kWordValues = static_cast<int64_t>(sizeof(uint32_t) / sizeof(Value));
  alignas(64) Value tile[kPanel][kChunk] = {};
  for (int64_t first = 0; first < inputs; first += kChunk) {
    const int64_t length = inputs - first < kChunk ? inputs - first : kChunk;
    for (int output = 0; output < kPanel; ++output) {
      if (rows[output].data == nullptr) continue;
      convert(rows[output].data, rows[output].dtype, first, length, tile[output]);
      if (length < kChunk) tile[output][length] = 0;  // the other half of an odd last pair
    }
    auto* words = reinterpret_cast<std::byte*>(panel + first * kPanel);
    for (int64_t i = 0; i < length; i += kWordValues)
      for (int output = 0; output < kPanel; ++output, words += sizeof(uint32_t))
        std::memcpy(words, &tile[output][i], sizeof(uint32_t));
  }
}

}  // namespace

int64_t packed_bytes(int64_t outputs, int64_t inputs, Dtype dtype) {
  return panel_count(outputs) * panel_size(inputs, dtype) * dtype_size(dtype);
}

void pack_weight(Context& context, const Tensor* sources, int64_t count, WeightMatrix& weight) {
  const int64_t inputs = weight.inputs;
  const int64_t size = panel_size(inputs, weight.dtype);
  context.pool.parallel_for(panel_count(weight.outputs), [&](int64_t panel, int) {
    SourceRow rows[kPanel];
    for (int output = 0; output < kPanel; ++output)
      rows[output] = source_row(sources, count, panel * kPanel + output);
    if (weight.dtype == Dtype::kBf16) {
      pack_panel(rows, inputs, static_cast<uint16_t*>(weight.storage.data()) + panel * size);
    } else {
      pack_panel(rows, inputs, static_cast<float*>(weight.storage.data()) + panel * size);
    }
  });
}

void unpack_weight(Context& context, const WeightMatrix& weight, int64_t first_row,
                   const Tensor& destination) {
  const int64_t inputs = weight.inputs;
  const int64_t size = panel_size(inputs, weight.dtype);
  auto* bytes = static_cast<std::byte*>(destination.data);
  context.pool.parallel_for(destination.shape[0], [&](int64_t row, int) {
    const int64_t panel = (first_row + row) / kPanel;
    const int64_t output = (first_row + row) % kPanel;
    const auto* wide = static_cast<const float*>(weight.storage.data()) + panel * size;
    const auto* narrow = static_cast<const uint16_t*>(weight.storage.data()) + panel * size;
    for (int64_t input = 0; input < inputs; ++input) {
      const float value = weight.dtype == Dtype::kBf16 ? bf16_to_f32(narrow[panel_offset_bf16(output, input)])
                                                       : wide[panel_offset_f32(output, input)];
      const int64_t index = row * inputs + input;
      if (destination.dtype == Dtype::kBf16) {
        const uint16_t rounded = f32_to_bf16(value);
        std::memcpy(bytes + 2 * index, &rounded, sizeof rounded);
      } else {
        std::memcpy(bytes + 4 * index, &value, sizeof value);
      }
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
