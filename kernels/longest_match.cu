// The longest match of the end of the known tokens [known_count] with an earlier place. Blocks take pieces of
// the text and the last one merges; a match is the number length << 32 | end, of which the highest is wanted.
#include "base/decode_step.h"
#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/longest_match.h"
#include "kernels/ptx.h"
#include "kernels/rank.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPlaces = 16 * kThreads;  // of one block

struct Search {
  LongestMatch args;
  Rank* best;  // [blocks], of each block, if there are several
  uint32_t* ticket;
};

// Tokens in front of `end` that equal those at the end of the text.
__device__ __forceinline__ int matching(const int32_t* known, int64_t count, int64_t end) {
  int length = 0;
  while (length < kLongestMatch && length < end && known[end - 1 - length] == known[count - 1 - length])
    ++length;
  return length;
}

__global__ void __launch_bounds__(kThreads) longest_match_kernel(const Search search) {
  wait_for_inputs();
  let_next_start();
  const LongestMatch& args = search.args;
  Rank* const partial = shared_memory<Rank>();                                  // [kThreads / 32]
  unsigned* const flag = reinterpret_cast<unsigned*>(partial + kThreads / 32);  // [1]
  const int64_t count = args.known_count[0];
  const int64_t first = blockIdx.x * kPlaces + 1;

  Rank best = kNoRank;
  for (int64_t end = first + threadIdx.x; end < first + kPlaces && end < count; end += kThreads) {
    const int length = matching(args.known, count, end);
    if (length >= args.min_match) best = higher(best, Rank{static_cast<uint32_t>(length)} << 32 | Rank(end));
  }
  best = block_highest<kThreads>(best, partial);
  if (gridDim.x > 1) {
    if (threadIdx.x == 0) search.best[blockIdx.x] = best;
    if (!arrives_last(search.ticket, gridDim.x, flag)) return;
    best = kNoRank;
    for (unsigned block = threadIdx.x; block < gridDim.x; block += kThreads)
      best = higher(best, search.best[block]);
    best = block_highest<kThreads>(best, partial);
  }
  const int64_t end = static_cast<uint32_t>(best);
  if (threadIdx.x == 0) {
    args.match[0] = static_cast<int32_t>(best >> 32);
    args.match[1] = static_cast<int32_t>(end);
  }
  if (best == kNoRank) return;
  // Behind the last known token the reading goes on through what it has just read: it repeats itself.
  for (int64_t i = threadIdx.x; i < args.depth; i += kThreads)
    args.continuation[i] = args.known[end + i % (count - end)];
}

}  // namespace

Status longest_match(const LongestMatch& args, const Launch& where) {
  const int64_t blocks = args.capacity > kPlaces ? divided_up(args.capacity, kPlaces) : 1;
  const Search search{args, static_cast<Rank*>(where.scratch), where.tickets};
  const Grid grid{dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                  static_cast<int64_t>(kThreads / 32 * sizeof(Rank) + sizeof(unsigned))};
  return launch(longest_match_kernel, grid, search, where);
}

}  // namespace msn::kernels
