// Shape and range checks of the noise operation.
#include "ops/noise.h"

namespace msn {

void check(const NoiseTokens& args) {
  const char* name = "noise";
  check(args.tokens.rank == 1, "tokens: expected one dimension", name);
  const int64_t tokens = args.tokens.shape[0];
  check_tensor(args.tokens, Dtype::kI32, {tokens}, "noise.tokens");
  check_tensor(args.loss_mask, Dtype::kU8, {tokens}, "noise.loss_mask");
  check(args.samples.rank == 1, "samples: expected one dimension", name);
  check_tensor(args.samples, Dtype::kI32, {args.samples.shape[0]}, "noise.samples");
  check_tensor(args.document_offsets, Dtype::kI32, {args.samples.shape[0] + 1}, "noise.document_offsets");
  check(args.length >= 1, "length: expected at least 1", name);
  check(args.segments >= 1, "segments: expected at least 1", name);
  check(args.kind == NoiseKind::kAhead || args.vocabulary >= 1,
        "vocabulary: uniform noise needs the vocabulary's size", name);
  check_tensor(args.noised, Dtype::kI32, {tokens}, "noise.noised");
  if (args.segment_offset) check_tensor(args.segment_offset, Dtype::kI32, {tokens}, "noise.segment_offset");
}

}  // namespace msn
