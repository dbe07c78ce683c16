// Weights of the CUDA engine: converted on the host, a piece of rows at a time, into the layout of
// kernels/weight_layout.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cuda/cuda_backend.h"
#include "base/parallel.h"
#include "kernels/weight_layout.h"
#include "ops/float_values.h"

namespace msn {
namespace {

// Sources stacked one below another, read a row at a time as f32.
class StackedRows {
 public:
  StackedRows(std::span<const Tensor> sources, int64_t inputs) : sources_(sources), inputs_(inputs) {}

  void read(int64_t row, float* values) const {
    for (const Tensor& source : sources_) {
      if (row >= source.shape[0]) {
        row -= source.shape[0];
        continue;
      }
      Tensor view = source;
      view.data = static_cast<std::byte*>(source.data) + row * inputs_ * dtype_size(source.dtype);
      view.shape[0] = 1;
      return read_as_f32(view, values);
    }
    std::fill_n(values, inputs_, 0.0f);  // a row of padding
  }

 private:
  std::span<const Tensor> sources_;
  int64_t inputs_;
};

// The scale is the largest magnitude / 127, so that codes lie in -127 .. 127; 1 for a row of zeros.
float quantise(const std::vector<float>& values, int8_t* codes) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  const float scale = largest > 0 ? largest / 127 : 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const float code = std::nearbyint(values[i] / scale);
    codes[i] = static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f));
  }
  return scale;
}

void round_to_bf16(const std::vector<float>& values, uint16_t* rounded) {
  std::transform(values.begin(), values.end(), rounded, bf16_bits);
}

int64_t row_bytes(const WeightMatrix& weight) {
  return kernels::weight_stride(weight.inputs) * dtype_size(weight.dtype);
}

int64_t scales_offset(const WeightMatrix& weight) {
  return kernels::weight_value_bytes(weight.outputs, weight.inputs, dtype_size(weight.dtype));
}

}  // namespace

WeightMatrix CudaBackend::pack_weight(std::span<const Tensor> sources, Dtype dtype) {
  const char* name = "pack_weight";
  msn::check(!sources.empty(), "expected at least one source", name);
  msn::check(dtype == Dtype::kBf16 || dtype == Dtype::kI8, "expected BF16 or I8", name);
  WeightMatrix weight;
  weight.dtype = dtype;
  weight.inputs = sources[0].shape[1];
  for (const Tensor& source : sources) {
    check_tensor(source, source.dtype, {source.shape[0], weight.inputs}, name);
    weight.outputs += source.shape[0];
  }
  weight.storage = allocate(dtype == Dtype::kI8 ? kernels::int8_weight_bytes(weight.outputs, weight.inputs)
                                                : kernels::bf16_weight_bytes(weight.outputs, weight.inputs));
  const StackedRows rows(sources, weight.inputs);
  const int64_t bytes = row_bytes(weight), padded_rows = kernels::weight_rows(weight.outputs);
  std::vector<float> scales(static_cast<size_t>(dtype == Dtype::kI8 ? padded_rows : 0));
  const auto convert = [&](std::byte* host, int64_t first, int64_t count) {
    constexpr int64_t kRowsWorthAThread = 64;
    std::memset(host, 0, static_cast<size_t>(count * bytes));
    parallel_ranges(count, kRowsWorthAThread, options_.threads, [&](int64_t begin, int64_t end) {
      std::vector<float> values(static_cast<size_t>(weight.inputs));
      for (int64_t row = begin; row < end; ++row) {
        rows.read(first + row, values.data());
        std::byte* const to = host + row * bytes;
        if (dtype == Dtype::kI8)
          scales[static_cast<size_t>(first + row)] = quantise(values, reinterpret_cast<int8_t*>(to));
        else
          round_to_bf16(values, reinterpret_cast<uint16_t*>(to));
      }
    });
  };
  staging_.upload(weight.storage.data(), padded_rows, bytes, convert);
  staging_.upload(static_cast<std::byte*>(weight.storage.data()) + scales_offset(weight), scales.data(),
                  static_cast<int64_t>(scales.size() * sizeof(float)));
  return weight;
}

void CudaBackend::unpack_weight(const WeightMatrix& weight, int64_t first_row, const Tensor& destination) {
  const char* name = "unpack_weight";
  const int64_t rows = destination.shape[0], inputs = weight.inputs;
  msn::check(destination.dtype == Dtype::kF32 || destination.dtype == Dtype::kBf16, "expected F32 or BF16",
             name);
  check_tensor(destination, destination.dtype, {rows, inputs}, name);
  msn::check(first_row >= 0 && first_row + rows <= weight.outputs, "expected rows of the weight", name);
  const int64_t bytes = row_bytes(weight);
  const auto* const storage = static_cast<const std::byte*>(weight.storage.data());
  std::vector<std::byte> stored(static_cast<size_t>(rows * bytes));
  copy_to_host(stored.data(), storage + first_row * bytes, rows * bytes);
  std::vector<float> scales(static_cast<size_t>(weight.dtype == Dtype::kI8 ? rows : 0));
  copy_to_host(scales.data(),
               storage + scales_offset(weight) + first_row * static_cast<int64_t>(sizeof(float)),
               static_cast<int64_t>(scales.size() * sizeof(float)));
  std::vector<float> values(static_cast<size_t>(inputs));
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* const from = stored.data() + row * bytes;
    if (weight.dtype == Dtype::kI8) {
      const auto* const codes = reinterpret_cast<const int8_t*>(from);
      const float scale = scales[static_cast<size_t>(row)];
      for (int64_t i = 0; i < inputs; ++i) values[static_cast<size_t>(i)] = scale * codes[i];
    } else {
      read_as_f32(Tensor(const_cast<std::byte*>(from), Dtype::kBf16, {inputs}), values.data());
    }
    if (destination.dtype == Dtype::kF32)
      std::memcpy(destination.mutable_f32() + row * inputs, values.data(), values.size() * sizeof(float));
    else
      round_to_bf16(values, destination.as<uint16_t>() + row * inputs);
  }
}

}  // namespace msn
