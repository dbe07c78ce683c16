#include "kernels/matrix_product.h"

#include <array>
#include <cmath>

#include "harness.h"
#include "ops/matrix_product.h"

namespace msn::kernels::testing {
namespace {

struct Product {
  int64_t m;
  int64_t n;
  int64_t k;
  bool transpose_a = false;
  bool transpose_b = false;
  bool bias = false;
  bool f32 = false;
  bool accumulate = false;
  int64_t padding = 0;  // of the rows of a, b and c
};

std::string name_of(const Product& product) {
  std::string name =
      std::to_string(product.m) + " x " + std::to_string(product.n) + " x " + std::to_string(product.k);
  if (product.transpose_a) name += " a^T";
  if (product.transpose_b) name += " b^T";
  if (product.bias) name += " bias";
  if (product.f32) name += " f32";
  if (product.accumulate) name += " accumulate";
  if (product.padding > 0) name += " padded by " + std::to_string(product.padding);
  return name;
}

// Rows of `width` with `padding` numbers behind each; as the kernel may use none of them, NaN.
template <class T>
std::vector<T> padded(const std::vector<T>& values, int64_t width, int64_t padding, T filler) {
  std::vector<T> result;
  for (size_t i = 0; i < values.size(); ++i) {
    result.push_back(values[i]);
    if ((i + 1) % width == 0) result.insert(result.end(), static_cast<size_t>(padding), filler);
  }
  return result;
}

template <class T>
std::vector<T> without_padding(const std::vector<T>& values, int64_t width, int64_t padding) {
  std::vector<T> result;
  for (size_t i = 0; i < values.size(); ++i)
    if (static_cast<int64_t>(i) % (width + padding) < width) result.push_back(values[i]);
  return result;
}

struct Operands {
  std::vector<Bf16> a;
  std::vector<Bf16> b;
  std::vector<float> bias;
  std::vector<float> start;
};

Operands make_operands(Check& check, const Product& product) {
  return {check.random().normal_bf16(product.m * product.k),
          check.random().normal_bf16(product.k * product.n), check.random().normal(product.n),
          check.random().normal(product.m * product.n, 10.0f)};
}

std::vector<float> on_device(Check& check, const Product& product, const Operands& operands,
                             int multiprocessors) {
  const Bf16 filler = to_bf16(NAN);
  const int64_t a_width = product.transpose_a ? product.m : product.k;
  const int64_t b_width = product.transpose_b ? product.k : product.n;
  const DeviceArray<Bf16> a(check, padded(operands.a, a_width, product.padding, filler));
  const DeviceArray<Bf16> b(check, padded(operands.b, b_width, product.padding, filler));
  const DeviceArray<float> bias(check, operands.bias);
  const int64_t c_stride = product.n + product.padding;
  const DeviceArray<Bf16> c(check, product.f32 ? 0 : product.m * c_stride);
  DeviceArray<float> c_f32(check, product.f32 ? product.m * c_stride : 0);
  if (product.accumulate) c_f32.write(padded(operands.start, product.n, product.padding, NAN));

  DeviceFacts facts = check.facts();
  facts.multiprocessors = multiprocessors;
  Launch where = check.where();
  where.device = &facts;
  check.finish(matrix_product(MatrixProduct{.a = a.data(),
                                            .b = b.data(),
                                            .bias = product.bias ? bias.data() : nullptr,
                                            .c = product.f32 ? nullptr : c.data(),
                                            .c_f32 = product.f32 ? c_f32.data() : nullptr,
                                            .transpose_a = product.transpose_a,
                                            .transpose_b = product.transpose_b,
                                            .accumulate = product.accumulate,
                                            .m = product.m,
                                            .n = product.n,
                                            .k = product.k,
                                            .a_stride = a_width + product.padding,
                                            .b_stride = b_width + product.padding,
                                            .c_stride = c_stride},
                              where));
  return without_padding(product.f32 ? c_f32.read() : to_floats(c.read()), product.n, product.padding);
}

std::vector<float> on_cpu(Check& check, const Product& product, const Operands& operands) {
  std::vector<float> a = to_floats(operands.a);
  std::vector<float> b = to_floats(operands.b);
  std::vector<float> bias = operands.bias;
  std::vector<float> c = operands.start;
  msn::MatrixProduct reference;
  reference.a = product.transpose_a ? tensor(a, {product.k, product.m}) : tensor(a, {product.m, product.k});
  reference.b = product.transpose_b ? tensor(b, {product.n, product.k}) : tensor(b, {product.k, product.n});
  reference.transpose_a = product.transpose_a;
  reference.transpose_b = product.transpose_b;
  if (product.bias) reference.bias = tensor(bias, {product.n});
  reference.c = tensor(c, {product.m, product.n});
  reference.accumulate = product.accumulate;
  check.cpu().run(reference);
  return c;
}

void compare_with_cpu(Check& check, const Product& product, int multiprocessors = 4) {
  const Operands operands = make_operands(check, product);
  check.close(on_device(check, product, operands, multiprocessors), on_cpu(check, product, operands),
              product.f32 ? kF32Tolerance : kBf16Tolerance, name_of(product));
}

const Test like_cpu("matrix_product", [](Check& check) {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      Product product = {.m = 3, .n = 14, .k = 20, .transpose_a = transpose_a, .transpose_b = transpose_b};
      compare_with_cpu(check, product);
      product = {.m = 1, .n = 1, .k = 1, .transpose_a = transpose_a, .transpose_b = transpose_b, .f32 = true};
      compare_with_cpu(check, product);
      if (check.tiny()) continue;
      for (const auto [m, n, k] :
           {std::array<int64_t, 3>{56, 20, 14}, {64, 72, 128}, {65, 67, 131}, {40, 136, 200}}) {
        product = {
            .m = m, .n = n, .k = k, .transpose_a = transpose_a, .transpose_b = transpose_b, .bias = true};
        compare_with_cpu(check, product);
        product.bias = false;
        product.f32 = product.accumulate = true;
        compare_with_cpu(check, product);
        product.padding = 8;  // aligned strides of numbers that must not be used
        compare_with_cpu(check, product);
        product.padding = 3;
        compare_with_cpu(check, product);
      }
    }
});

// The 128 x 128 tiles, more than a band of eight rows of them.
const Test large_tiles("matrix_product large", [](Check& check) {
  if (check.tiny()) return;
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      compare_with_cpu(check, {.m = 200,
                               .n = 136,
                               .k = 72,
                               .transpose_a = transpose_a,
                               .transpose_b = transpose_b,
                               .f32 = true,
                               .accumulate = true});
      compare_with_cpu(
          check, {.m = 129, .n = 131, .k = 130, .transpose_a = transpose_a, .transpose_b = transpose_b});
    }
  compare_with_cpu(check, {.m = 1160, .n = 144, .k = 16, .transpose_b = true, .bias = true});
});

// Few tiles and a long inner dimension, cut into slices: the same bits whichever block comes last.
const Test slices("matrix_product slices", [](Check& check) {
  const int64_t k = check.tiny() ? 1030 : 2100;
  const Product product = {.m = 20, .n = 36, .k = k, .transpose_a = true, .f32 = true, .accumulate = true};
  for (const int multiprocessors : {2, 3, 16}) {
    const Operands operands = make_operands(check, product);
    const std::vector<float> actual = on_device(check, product, operands, multiprocessors);
    check.close(actual, on_cpu(check, product, operands), kF32Tolerance, name_of(product));
    check.same(on_device(check, product, operands, multiprocessors), actual, name_of(product) + " again");
  }
});

const Test column_sums("column_sum", [](Check& check) {
  for (const auto [rows, width] : {std::array<int64_t, 2>{1, 1}, {3, 33}, {100, 40}, {77, 131}}) {
    const std::vector<Bf16> input = check.random().normal_bf16(rows * width);
    std::vector<float> expected = check.random().normal(width);
    const DeviceArray<Bf16> input_array(check, input);
    const DeviceArray<float> output(check, expected);
    check.launch(column_sum, ColumnSum{input_array.data(), output.data(), rows, width});
    std::vector<float> floats = to_floats(input);
    check.cpu().run(msn::ColumnSum{tensor(floats, {rows, width}), tensor(expected, {width})});
    check.close(output.read(), expected, kF32Tolerance,
                std::to_string(rows) + " rows of " + std::to_string(width));
    if (check.tiny()) return;
  }
});

}  // namespace
}  // namespace msn::kernels::testing
