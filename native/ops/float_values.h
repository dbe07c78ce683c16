// Float tensors in host memory, of any float dtype and at any alignment: values as f32, and a search for NaN.
#pragma once
#include <cstdint>

#include "ops/tensor.h"

namespace msn {

// The value as f32; F64 is rounded to nearest. `values` has tensor.elements() floats.
void read_as_f32(const Tensor& tensor, float* values);
// Index of the first element that is NaN, infinite, or (F64) beyond the range of f32; -1: there is none.
int64_t find_non_finite(const Tensor& tensor, int64_t threads);
// bf16 bits, round to nearest, ties to even. Finite values only.
uint16_t bf16_bits(float value);

}  // namespace msn
