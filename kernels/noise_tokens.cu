// Noise segments of noisy fine-tuning (arXiv 2406.17404), one block a document. A response is a run of loss
// tokens, cut into slices with one segment each. Noise token i copies token bounded(i) of the document, noise
// included: a chain of noise tokens ends at an original token, and every position follows its own chain, so
// that all are found at once although each is defined by those before it.
#include "base/philox.h"
#include "kernels/launcher.h"
#include "kernels/noise_tokens.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr Status kInvalidValue = 1;  // cudaErrorInvalidValue

// Responses of a document are numbered in order; number n is kept at n from the document's begin on.
struct Plan {
  NoiseTokens args;
  int32_t* first;   // [tokens]: where response n begins in its document
  int32_t* end;     // [tokens]: and where it ends
  int32_t* offset;  // [tokens]: as segment_offset
};

// The document as its block sees it.
struct Document {
  const uint8_t* loss_mask;  // [length]
  int32_t* first;
  int32_t* end;
  int32_t* offset;
  int64_t length;
  uint32_t sample;
};

// Finds the responses, 32 tokens a warp at a time, and clears the offsets. Returns their number. `counts`:
// [kWarps] in shared memory.
__device__ int find_responses(const Document& document, int* counts) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  int found = 0;  // responses that begin before this tile
  for (int64_t tile = 0; tile < document.length; tile += kThreads) {
    const int64_t i = tile + threadIdx.x;
    const bool counted = i < document.length && document.loss_mask[i] != 0;
    const bool begins = counted && (i == 0 || document.loss_mask[i - 1] == 0);
    const bool ends = counted && (i + 1 == document.length || document.loss_mask[i + 1] == 0);
    const unsigned beginnings = __ballot_sync(0xFFFFFFFFu, begins);
    if (lane == 0) counts[warp] = __popc(beginnings);
    __syncthreads();
    int number = found - 1;  // of the last response that begins at or before i
    for (int other = 0; other < kWarps; ++other) {
      if (other < warp) number += counts[other];
      found += counts[other];
    }
    number += __popc(beginnings << (31 - lane));
    if (begins) document.first[number] = static_cast<int32_t>(i > 0 ? i : 1);  // noise needs a predecessor
    if (ends) document.end[number] = static_cast<int32_t>(i + 1);
    if (i < document.length) document.offset[i] = 0;
    __syncthreads();
  }
  return found;
}

// Places the segment of one slice.
__device__ void place_segment(const NoiseTokens& args, const Document& document, int64_t slice) {
  const int64_t response = slice / args.segments, part = slice % args.segments;
  const int64_t first = document.first[response], length = document.end[response] - first;
  const int64_t begin = first + length * part / args.segments,
                end = first + length * (part + 1) / args.segments;
  const int64_t noised = args.length < end - begin - 1 ? args.length : end - begin - 1;
  if (noised < 1) return;
  const RandomDraw placed(args.seed, RandomStream::kNoiseStart, document.sample, args.epoch,
                          static_cast<uint32_t>(slice));
  const int64_t start = begin + placed.bounded(static_cast<uint32_t>(end - begin - noised));
  for (int64_t i = 0; i < noised; ++i) document.offset[start + i] = static_cast<int32_t>(i + 1);
}

__device__ int32_t noise_at(const NoiseTokens& args, const Document& document, const int32_t* tokens,
                            int64_t i) {
  const auto draw = [&](int64_t position, uint32_t bound) {
    return RandomDraw(args.seed, RandomStream::kNoiseToken, document.sample, args.epoch,
                      static_cast<uint32_t>(position))
        .bounded(bound);
  };
  if (args.uniform) return static_cast<int32_t>(draw(i, static_cast<uint32_t>(args.vocabulary)));
  while (document.offset[i] != 0) i = draw(i, static_cast<uint32_t>(i));
  return tokens[i];
}

__global__ void __launch_bounds__(kThreads) noise_kernel(const Plan plan) {
  wait_for_inputs();
  let_next_start();
  const NoiseTokens& args = plan.args;
  const int64_t at = args.document_offsets[blockIdx.x];
  const Document document = {args.loss_mask + at,
                             plan.first + at,
                             plan.end + at,
                             plan.offset + at,
                             args.document_offsets[blockIdx.x + 1] - at,
                             static_cast<uint32_t>(args.samples[blockIdx.x])};
  const int64_t slices = int64_t{find_responses(document, shared_memory<int>())} * args.segments;
  for (int64_t slice = threadIdx.x; slice < slices; slice += kThreads) place_segment(args, document, slice);
  __syncthreads();
  const int32_t* const tokens = args.tokens + at;
  for (int64_t i = threadIdx.x; i < document.length; i += kThreads) {
    const int32_t offset = document.offset[i];
    args.noised[at + i] = offset == 0 ? tokens[i] : noise_at(args, document, tokens, i);
    if (args.segment_offset != nullptr) args.segment_offset[at + i] = offset;
  }
}

}  // namespace

Status noise_tokens(const NoiseTokens& args, const Launch& where) {
  if (args.documents == 0 || args.tokens_count == 0) return 0;
  if (where.scratch_bytes < 3 * 4 * args.tokens_count) return kInvalidValue;
  int32_t* const scratch = static_cast<int32_t*>(where.scratch);
  const Plan plan{args, scratch, scratch + args.tokens_count, scratch + 2 * args.tokens_count};
  const Grid grid{dim3(static_cast<unsigned>(args.documents)), dim3(kThreads), kWarps * int64_t{4}};
  return launch(noise_kernel, grid, plan, where);
}

}  // namespace msn::kernels
