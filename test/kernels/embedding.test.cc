#include "kernels/embedding.h"

#include "harness.h"
#include "ops/embedding.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, int64_t rows, int64_t vocabulary, int64_t hidden, int64_t stride) {
  std::vector<int32_t> tokens = check.random().integers(rows, 0, static_cast<int32_t>(vocabulary - 1));
  const std::vector<Bf16> padded = check.random().normal_bf16(vocabulary * stride);
  std::vector<float> table;
  for (int64_t row = 0; row < vocabulary; ++row)
    for (int64_t i = 0; i < hidden; ++i) table.push_back(to_float(padded[row * stride + i]));
  std::vector<float> expected(rows * hidden);
  check.cpu().run(msn::EmbeddingForward{.tokens = tensor(tokens, {rows}),
                                        .table = tensor(table, {vocabulary, hidden}),
                                        .output = tensor(expected, {rows, hidden})});

  const DeviceArray<int32_t> token_array(check, tokens);
  const DeviceArray<Bf16> table_array(check, padded);
  const DeviceArray<float> output(check, rows * hidden);
  check.launch(embedding_forward, EmbeddingForward{.tokens = token_array.data(),
                                                   .table = table_array.data(),
                                                   .table_int8 = nullptr,
                                                   .scales = nullptr,
                                                   .output = output.data(),
                                                   .rows = rows,
                                                   .hidden = hidden,
                                                   .stride = stride});
  check.same(output.read(), expected, "output");
}

const Test like_cpu("embedding", [](Check& check) {
  compare_with_cpu(check, 1, 7, 8, 64);
  compare_with_cpu(check, 5, 11, 77, 128);
  if (check.tiny()) return;
  compare_with_cpu(check, 64, 300, 1090, 1152);
  compare_with_cpu(check, 3, 20, 2048, 2048);
});

const Test int8_table("embedding int8", [](Check& check) {
  const int64_t rows = 4, vocabulary = 9;
  for (const int64_t hidden : {20, 33}) {
    const int64_t stride = 64;
    const std::vector<int32_t> tokens =
        check.random().integers(rows, 0, static_cast<int32_t>(vocabulary - 1));
    const std::vector<float> scales = check.random().uniform(vocabulary, 0.01f, 0.1f);
    std::vector<int8_t> table;
    for (int64_t i = 0; i < vocabulary * stride; ++i)
      table.push_back(static_cast<int8_t>(check.random().integer(-127, 127)));
    std::vector<float> expected;
    for (const int32_t token : tokens)
      for (int64_t i = 0; i < hidden; ++i) expected.push_back(scales[token] * table[token * stride + i]);

    const DeviceArray<int32_t> token_array(check, tokens);
    const DeviceArray<int8_t> table_array(check, table);
    const DeviceArray<float> scale_array(check, scales);
    const DeviceArray<float> output(check, rows * hidden);
    check.launch(embedding_forward, EmbeddingForward{.tokens = token_array.data(),
                                                     .table = nullptr,
                                                     .table_int8 = table_array.data(),
                                                     .scales = scale_array.data(),
                                                     .output = output.data(),
                                                     .rows = rows,
                                                     .hidden = hidden,
                                                     .stride = stride});
    check.same(output.read(), expected, "output");
  }
});

}  // namespace
}  // namespace msn::kernels::testing
