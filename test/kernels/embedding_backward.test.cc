#include "harness.h"
#include "kernels/embedding.h"
#include "ops/embedding.h"

namespace msn::kernels::testing {
namespace {

void compare_with_cpu(Check& check, std::vector<int32_t> tokens, int64_t vocabulary, int64_t hidden) {
  const int64_t rows = static_cast<int64_t>(tokens.size());
  std::vector<float> output_gradient = check.random().normal(rows * hidden);
  std::vector<float> expected = check.random().normal(vocabulary * hidden);
  const DeviceArray<int32_t> token_array(check, tokens);
  const DeviceArray<float> output_array(check, output_gradient);
  const DeviceArray<float> table_gradient(check, expected);
  check.launch(embedding_backward, EmbeddingBackward{.tokens = token_array.data(),
                                                     .output_gradient = output_array.data(),
                                                     .table_gradient = table_gradient.data(),
                                                     .rows = rows,
                                                     .hidden = hidden});
  check.cpu().run(msn::EmbeddingBackward{tensor(tokens, {rows}), tensor(output_gradient, {rows, hidden}),
                                         tensor(expected, {vocabulary, hidden})});
  check.same(table_gradient.read(), expected, std::to_string(rows) + " rows: table_gradient");
}

const Test like_cpu("embedding_backward", [](Check& check) {
  compare_with_cpu(check, {3}, 5, 8);
  compare_with_cpu(check, check.random().integers(33, 0, 4), 5, 9);
  compare_with_cpu(check, std::vector<int32_t>(17, 2), 3, 4);
  if (check.tiny()) return;
  compare_with_cpu(check, check.random().integers(200, 0, 99999), 100000, 20);
  compare_with_cpu(check, check.random().integers(70, 0, 9), 10, 1090);
  std::vector<int32_t> tokens = check.random().integers(2048, 0, 700);
  for (size_t i = 0; i < tokens.size(); i += 3) tokens[i] = 5;
  compare_with_cpu(check, tokens, 701, 8);
});

// More rows than are sorted at once.
const Test pieces("embedding_backward in pieces", [](Check& check) {
  if (check.tiny()) return;
  compare_with_cpu(check, check.random().integers(16384 + 77, 0, 4000), 4001, 4);
});

}  // namespace
}  // namespace msn::kernels::testing
