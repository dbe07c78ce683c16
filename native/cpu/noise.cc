// Noise segments, one document a task: see docs/method.md, "Noisy training".
#include "ops/noise.h"

#include "base/philox.h"
#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

struct Document {
  const uint8_t* loss_mask;  // [length]
  int32_t* noised;           // [length], a copy of the tokens
  int32_t* segment_offset;   // [length] or null, zeroed
  int64_t length;
  uint32_t sample;
};

// Noises one segment in the slice [begin, end), the number-th of its document.
void noise_slice(const NoiseTokens& args, const Document& document, int64_t begin, int64_t end,
                 uint32_t number) {
  const int64_t length = end - begin;
  const int64_t noised = args.length < length - 1 ? args.length : length - 1;
  if (noised < 1) return;
  const RandomDraw placed(args.seed, RandomStream::kNoiseStart, document.sample, args.epoch, number);
  const int64_t start = begin + placed.bounded(static_cast<uint32_t>(length - noised));
  for (int64_t i = start; i < start + noised; ++i) {
    const RandomDraw draw(args.seed, RandomStream::kNoiseToken, document.sample, args.epoch,
                          static_cast<uint32_t>(i));
    document.noised[i] = args.kind == NoiseKind::kAhead
                             ? document.noised[draw.bounded(static_cast<uint32_t>(i))]
                             : static_cast<int32_t>(draw.bounded(static_cast<uint32_t>(args.vocabulary)));
    if (document.segment_offset != nullptr) document.segment_offset[i] = static_cast<int32_t>(i - start + 1);
  }
}

void noise_document(const NoiseTokens& args, const Document& document) {
  uint32_t response = 0;
  for (int64_t begin = 0; begin < document.length;) {
    if (document.loss_mask[begin] == 0) {
      ++begin;
      continue;
    }
    int64_t end = begin;
    while (end < document.length && document.loss_mask[end] != 0) ++end;
    const int64_t first = begin > 0 ? begin : 1;  // a noise token needs a predecessor
    const int64_t length = end - first;
    for (int32_t slice = 0; slice < args.segments; ++slice)
      noise_slice(args, document, first + length * slice / args.segments,
                  first + length * (slice + 1) / args.segments,
                  response * static_cast<uint32_t>(args.segments) + static_cast<uint32_t>(slice));
    ++response;
    begin = end;
  }
}

}  // namespace

void run(Context& context, const NoiseTokens& args) {
  const int32_t* offsets = args.document_offsets.i32();
  context.pool.parallel_for(args.samples.shape[0], [&](int64_t index, int) {
    const int64_t begin = offsets[index];
    const Document document = {args.loss_mask.as<const uint8_t>() + begin, args.noised.as<int32_t>() + begin,
                               args.segment_offset ? args.segment_offset.as<int32_t>() + begin : nullptr,
                               offsets[index + 1] - begin, static_cast<uint32_t>(args.samples.i32()[index])};
    for (int64_t i = 0; i < document.length; ++i) {
      document.noised[i] = args.tokens.i32()[begin + i];
      if (document.segment_offset != nullptr) document.segment_offset[i] = 0;
    }
    noise_document(args, document);
  });
}

}  // namespace msn::cpu::MSN_ISA
