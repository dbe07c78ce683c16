#include "kernels/noise_tokens.h"

#include "harness.h"
#include "ops/noise.h"

namespace msn::kernels::testing {
namespace {

struct Settings {
  NoiseKind kind;
  int32_t length, segments;
};

void compare_with_cpu(Check& check, const std::vector<int64_t>& lengths, int64_t loss_of_ten,
                      const Settings& settings) {
  std::vector<int32_t> offsets = {0};
  for (const int64_t length : lengths) offsets.push_back(offsets.back() + static_cast<int32_t>(length));
  const int64_t tokens = offsets.back(), documents = static_cast<int64_t>(lengths.size());
  std::vector<int32_t> originals = check.random().integers(tokens, 0, 999);
  std::vector<int32_t> samples = check.random().integers(documents, 0, 1 << 30);
  std::vector<uint8_t> loss_mask;
  for (int64_t i = 0; i < tokens; ++i) {
    // Runs of some length, so that there are responses with room for segments.
    const bool changes = i == 0 || check.random().integer(0, 19) == 0;
    loss_mask.push_back(changes ? check.random().integer(0, 9) < loss_of_ten : loss_mask.back());
  }
  std::vector<int32_t> expected(tokens), expected_offset(tokens);
  msn::NoiseTokens reference;
  reference.tokens = tensor(originals, {tokens});
  reference.loss_mask = Tensor(loss_mask.data(), Dtype::kU8, {tokens});
  reference.document_offsets = tensor(offsets, {documents + 1});
  reference.samples = tensor(samples, {documents});
  reference.seed = 0x123456789abcdefull;
  reference.epoch = 3;
  reference.kind = settings.kind;
  reference.length = settings.length;
  reference.segments = settings.segments;
  reference.vocabulary = 1000;
  reference.noised = tensor(expected, {tokens});
  reference.segment_offset = tensor(expected_offset, {tokens});
  check.cpu().run(reference);

  const DeviceArray<int32_t> token_array(check, originals), offset_array(check, offsets);
  const DeviceArray<int32_t> sample_array(check, samples);
  const DeviceArray<uint8_t> mask_array(check, loss_mask);
  for (const bool wants_offset : {true, false}) {
    const DeviceArray<int32_t> noised(check, tokens), segment_offset(check, tokens);
    check.launch(noise_tokens, NoiseTokens{.tokens = token_array.data(),
                                           .loss_mask = mask_array.data(),
                                           .document_offsets = offset_array.data(),
                                           .samples = sample_array.data(),
                                           .noised = noised.data(),
                                           .segment_offset = wants_offset ? segment_offset.data() : nullptr,
                                           .tokens_count = tokens,
                                           .documents = documents,
                                           .seed = reference.seed,
                                           .epoch = reference.epoch,
                                           .uniform = settings.kind == NoiseKind::kUniform,
                                           .length = settings.length,
                                           .segments = settings.segments,
                                           .vocabulary = reference.vocabulary});
    check.same(noised.read(), expected, "noised");
    if (wants_offset) check.same(segment_offset.read(), expected_offset, "segment_offset");
  }
}

const Test like_cpu("noise_tokens", [](Check& check) {
  for (const NoiseKind kind : {NoiseKind::kAhead, NoiseKind::kUniform}) {
    compare_with_cpu(check, {1, 2, 3, 5, 40}, 10, {kind, 5, 1});
    compare_with_cpu(check, {30, 0, 77}, 6, {kind, 3, 2});
    if (check.tiny()) continue;
    compare_with_cpu(check, {300, 256, 700, 257}, 5, {kind, 5, 1});
    // Nearly all is noise, and draws fall on noise.
    compare_with_cpu(check, {900, 33}, 10, {kind, 64, 12});
    compare_with_cpu(check, {2000}, 7, {kind, 7, 5});
  }
});

}  // namespace
}  // namespace msn::kernels::testing
