// The longest match of the end of the known tokens [known_count] with an earlier place. Blocks take pieces of
// the text into shared memory and the last one merges; a match is the number length << 32 | end, of which the
// highest is wanted.
#include "base/decode_step.h"
#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/longest_match.h"
#include "kernels/ptx.h"
#include "kernels/rank.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kPlaces = 8 * kThreads;  // of one block

struct Search {
  LongestMatch args;
  Rank* best;  // [blocks], of each block, if there are several
  uint32_t* ticket;
};

struct Shared {
  int32_t text[kLongestMatch + kPlaces];  // known tokens from kLongestMatch before the block's first place on
  int32_t end[kLongestMatch];             // the last known tokens, the very last first
  Rank partial[kThreads / 32];
  unsigned flag;
};

// By the whole block; all loads are on their way at once.
__device__ __forceinline__ void read_text(const int32_t* known, int64_t count, int64_t first,
                                          Shared& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  const auto copy = [&](int32_t* to, int64_t at) {
    const bool exists = 0 <= at && at < count;
    copy_4_async(to, known + (exists ? at : 0), exists);
  };
  for (int i = thread; i < kLongestMatch + kPlaces; i += kThreads)
    copy(shared.text + i, first - kLongestMatch + i);
  if (thread < kLongestMatch) copy(shared.end + thread, count - 1 - thread);
  commit_copies();
  wait_for_copies<0>();
  __syncthreads();
}

// Tokens in front of place number `place` of the block that equal those at the end of the text; `before`
// tokens are in front of it.
__device__ __forceinline__ int matching(const Shared& shared, int place, int64_t before) {
  const int32_t* const last = shared.text + kLongestMatch + place - 1;
  int length = 0;
  while (length < kLongestMatch && length < before && last[-length] == shared.end[length]) ++length;
  return length;
}

__global__ void __launch_bounds__(kThreads) longest_match_kernel(const Search search) {
  wait_for_inputs();
  let_next_start();
  const LongestMatch& args = search.args;
  const int64_t count = args.known_count[0];
  const unsigned blocks = count > 1 ? static_cast<unsigned>(divided_up(count - 1, kPlaces)) : 1;
  if (blockIdx.x >= blocks) return;  // the grid has room for the longest text
  Shared& shared = *shared_memory<Shared>();
  const int64_t first = int64_t{blockIdx.x} * kPlaces + 1;
  read_text(args.known, count, first, shared);

  Rank best = kNoRank;
#pragma unroll
  for (int place = static_cast<int>(threadIdx.x); place < kPlaces; place += kThreads) {
    const int64_t end = first + place;
    if (end >= count) break;
    const int length = matching(shared, place, end);
    if (length >= args.min_match) best = higher(best, Rank{static_cast<uint32_t>(length)} << 32 | Rank(end));
  }
  best = block_highest<kThreads>(best, shared.partial);
  if (blocks > 1) {
    if (threadIdx.x == 0) search.best[blockIdx.x] = best;
    if (!arrives_last(search.ticket, blocks, &shared.flag)) return;
    best = kNoRank;
    for (unsigned block = threadIdx.x; block < blocks; block += kThreads)
      best = higher(best, search.best[block]);
    best = block_highest<kThreads>(best, shared.partial);
  }
  const uint32_t end = static_cast<uint32_t>(best);
  if (threadIdx.x == 0) {
    args.match[0] = static_cast<int32_t>(best >> 32);
    args.match[1] = static_cast<int32_t>(end);
  }
  if (best == kNoRank) return;
  // Behind the last known token the reading goes on through what it has just read: it repeats itself.
  const uint32_t read = static_cast<uint32_t>(count) - end;
  for (uint32_t i = threadIdx.x; i < args.depth; i += kThreads)
    args.continuation[i] = args.known[end + i % read];
}

}  // namespace

Status longest_match(const LongestMatch& args, const Launch& where) {
  const int64_t blocks = args.capacity > 1 ? divided_up(args.capacity - 1, kPlaces) : 1;
  const Search search{args, static_cast<Rank*>(where.scratch), where.tickets};
  const Grid grid{dim3(static_cast<unsigned>(blocks)), dim3(kThreads), static_cast<int64_t>(sizeof(Shared))};
  return launch(longest_match_kernel, grid, search, where);
}

}  // namespace msn::kernels
