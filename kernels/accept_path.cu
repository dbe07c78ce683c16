// The model's tokens are followed down the tree by one block (docs/method.md, points 6 to 9). All accepted
// nodes of one depth have the same tokens above them, hence the same logits to the last bit: the first of
// them speaks for all. So one barrier a depth is all there is to wait for.
#include "kernels/accept_path.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int32_t kNone = 0x7FFFFFFF;

struct Shared {
  int32_t parents[kMostDraftNodes];
  int32_t depths[kMostDraftNodes];
  int32_t tokens[kMostDraftNodes];
  int32_t choices[kMostDraftNodes];
  uint8_t accepted[kMostDraftNodes];
  int32_t first[kDeepestDraft + 2];  // of the accepted nodes at each depth; kNone: no node is
  int32_t kept[kDeepestDraft + 1];   // the path down to the deepest accepted node
  int32_t ahead[kDeepestDraft + 1];  // and on, node by node below it, down to the deepest below that
  int32_t ahead_rows;
  int32_t end;  // the place among the accepted tokens behind which the text ends, or kNone
};

__device__ __forceinline__ void change_nothing(const AcceptPath& args) {
  if (threadIdx.x == 0) {
    args.kept_count[0] = 0;
    args.first_row[0] = args.cache_length[0];
  }
  for (int64_t row = threadIdx.x; row < args.depth; row += kThreads) args.next_rows[row] = -1;
}

// Everything that decides, at once.
__device__ __forceinline__ void read_nodes(const AcceptPath& args, Shared& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t node = thread; node < args.nodes; node += kThreads) {
    copy_4_async(shared.parents + node, args.parents + node, true);
    copy_4_async(shared.depths + node, args.depths + node, true);
    copy_4_async(shared.tokens + node, args.tokens + node, true);
    copy_4_async(shared.choices + node, args.choices + node, true);
    shared.accepted[node] = node == 0;
  }
  commit_copies();
  if (thread < kDeepestDraft + 2) shared.first[thread] = thread == 0 ? 0 : kNone;
  if (thread == 0) shared.end = kNone;
}

// The depth of the deepest accepted node, first[depth].
__device__ __forceinline__ int32_t follow(const AcceptPath& args, Shared& shared) {
  for (int32_t depth = 1; depth <= kDeepestDraft; ++depth) {
    const int32_t wanted = shared.choices[shared.first[depth - 1]];
    for (int64_t node = threadIdx.x; node < args.nodes; node += kThreads) {
      if (shared.depths[node] != depth || !shared.accepted[shared.parents[node]] ||
          shared.tokens[node] != wanted)
        continue;
      shared.accepted[node] = 1;
      atomicMin(&shared.first[depth], static_cast<int32_t>(node));
    }
    __syncthreads();
    if (shared.first[depth] == kNone) return depth - 1;
  }
  return kDeepestDraft;
}

// By one thread: the path up from the deepest accepted node.
__device__ __forceinline__ void walk_up(Shared& shared, int32_t depth) {
  int32_t node = shared.first[depth];
  for (int32_t place = depth; place >= 0; --place) {
    shared.kept[place] = node;
    node = shared.parents[node];
  }
}

// By one thread: the rejected guesses below the accepted node stand where the next guesses will stand.
__device__ __forceinline__ void look_ahead(const AcceptPath& args, Shared& shared, int32_t depth) {
  int32_t node = args.deepest_below[shared.first[depth]];
  shared.ahead_rows = shared.depths[node] - depth;
  for (int32_t row = shared.ahead_rows - 1; row >= 0; --row) {
    shared.ahead[row] = node;
    node = shared.parents[node];
  }
}

// What goes on from the walks' results, a place or row a thread. length: of the cache.
__device__ __forceinline__ void keep_rows(const AcceptPath& args, const Shared& shared, int32_t depth,
                                          int32_t length, StepRecord& record) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread <= depth) {
    const int32_t node = shared.kept[thread];
    args.kept_rows[thread] = length + node;
    if (thread > 0) {
      record.accepted_columns[thread - 1] = args.columns[node];
      record.accepted_sources[thread - 1] = static_cast<DraftSource>(args.sources[node]);
    }
  }
  if (thread < args.depth) args.next_rows[thread] = thread < shared.ahead_rows ? shared.ahead[thread] : -1;
  if (thread == 0) {
    args.kept_count[0] = depth + 1;
    args.first_row[0] = length;
    args.cache_length[0] = length + depth + 1;
    args.known_rows[0] = record.known_rows = shared.ahead_rows;
  }
}

__device__ __forceinline__ bool ends_text(const AcceptPath& args, int32_t token) {
  for (int64_t i = 0; i < args.ends; ++i)
    if (args.end_tokens[i] == token) return true;
  return false;
}

__global__ void __launch_bounds__(kThreads) accept_path_kernel(const AcceptPath args) {
  wait_for_inputs();
  let_next_start();
  Shared& shared = *shared_memory<Shared>();
  const int thread = static_cast<int>(threadIdx.x);
  read_nodes(args, shared);
  const int32_t step = args.step[0] + 1, count = args.known_count[0], length = args.cache_length[0];
  const int32_t last_length = args.last_length[0];
  const bool has_ended = args.finish[0] != static_cast<int32_t>(FinishReason::kNone);
  wait_for_copies<0>();
  __syncthreads();  // everyone has read the state, too
  if (has_ended) return change_nothing(args);
  StepRecord& record = args.records[step % 2];
  const int32_t depth = follow(args, shared);

  // Thread i has the i-th token of the path, the model's token at depth i.
  const bool has_token = thread <= depth;
  const int32_t token = has_token ? shared.choices[shared.first[thread]] : 0;
  const bool is_end = has_token && ends_text(args, token);
  if (has_token && (is_end || count + thread + 1 == last_length)) atomicMin(&shared.end, thread);
  if (thread == 64) walk_up(shared, depth);
  if (thread == 96) look_ahead(args, shared, depth);
  __syncthreads();
  const int32_t emitted = shared.end == kNone ? depth + 1 : shared.end + 1;
  if (thread < emitted) {
    args.known[count + thread] = token;
    record.tokens[thread] = token;
  }
  if (thread == emitted - 1) {
    const FinishReason finish = shared.end == kNone ? FinishReason::kNone
                                : is_end            ? FinishReason::kStop
                                                    : FinishReason::kLength;
    args.finish[0] = static_cast<int32_t>(finish);
    args.known_count[0] = count + emitted;
    args.step[0] = step;
    record.step = step;
    record.accepted_length = depth + 1;
    record.emitted = emitted;
    record.finish = finish;
    record.match_length = args.match != nullptr ? args.match[0] : 0;
    record.match_end = args.match != nullptr ? args.match[1] : 0;
    record.nodes = static_cast<int32_t>(args.nodes);
  }
  keep_rows(args, shared, depth, length, record);
  if (thread == 128 && args.is_known != nullptr)  // one thread, because tokens repeat
    for (int32_t i = 0; i < emitted; ++i) args.is_known[shared.choices[shared.first[i]]] = 1;
  for (int64_t node = thread + 1; node < args.nodes; node += kThreads)
    record.drafted[node - 1] = shared.tokens[node];
}

}  // namespace

Status accept_path(const AcceptPath& args, const Launch& where) {
  const Grid grid{dim3(1), dim3(kThreads), static_cast<int64_t>(sizeof(Shared))};
  return launch(accept_path_kernel, grid, args, where);
}

}  // namespace msn::kernels
