// The operations of a decode step as calls of their kernels.
#include "backend/cuda/cuda_backend.h"
#include "kernels/accept_path.h"
#include "kernels/draft_nodes.h"
#include "kernels/longest_match.h"
#include "kernels/sample_tokens.h"
#include "ops/accept_path.h"
#include "ops/draft_nodes.h"
#include "ops/longest_match.h"
#include "ops/sample_tokens.h"

namespace msn {

void CudaBackend::run(const LongestMatch& args) {
  check(args);
  const kernels::LongestMatch kernel{.known = args.known.i32(),
                                     .known_count = args.known_count.i32(),
                                     .match = args.match.as<int32_t>(),
                                     .continuation = args.continuation.as<int32_t>(),
                                     .capacity = args.known.shape[0],
                                     .depth = args.continuation.shape[0],
                                     .min_match = args.min_match};
  enqueue(module().longest_match, kernel, "longest_match");
}

void CudaBackend::run(const DraftNodes& args) {
  check(args);
  const kernels::DraftNodes kernel{.known = args.known.i32(),
                                   .known_count = args.known_count.i32(),
                                   .guesses = args.guesses.i32(),
                                   .known_rows = args.known_rows.i32(),
                                   .match = args.match.i32(),
                                   .continuation = args.continuation.i32(),
                                   .depths = args.depths.i32(),
                                   .columns = args.columns.i32(),
                                   .seed = args.seed.as<const uint64_t>(),
                                   .tokens = args.tokens.as<int32_t>(),
                                   .positions = args.positions.as<int32_t>(),
                                   .sources = args.sources.as<int32_t>(),
                                   .nodes = args.tokens.shape[0],
                                   .row_size = args.guesses.shape[1],
                                   .width = args.width};
  enqueue(module().draft_nodes, kernel, "draft_nodes");
}

void CudaBackend::run(const SampleTokens& args) {
  check(args);
  check(args.tokens.shape[0] <= kMostDraftNodes, "expected at most 1024 nodes", "sample_tokens.tokens");
  const kernels::SampleTokens kernel{.logits = args.logits.f32(),
                                     .tokens = args.tokens.i32(),
                                     .parents = args.parents.i32(),
                                     .depths = args.depths.i32(),
                                     .known_count = args.known_count.i32(),
                                     .is_known = args.is_known.as<const uint8_t>(),
                                     .options = args.options.as<const SamplingOptions>(),
                                     .choices = args.choices.as<int32_t>(),
                                     .nodes = args.logits.shape[0],
                                     .vocabulary = args.logits.shape[1]};
  enqueue(module().sample_tokens, kernel, "sample_tokens");
}

void CudaBackend::run(const AcceptPath& args) {
  check(args);
  check(args.next_rows.shape[0] <= kDeepestDraft, "expected at most 32 rows of a table",
        "accept_path.next_rows");
  const kernels::AcceptPath kernel{.parents = args.parents.i32(),
                                   .depths = args.depths.i32(),
                                   .columns = args.columns.i32(),
                                   .deepest_below = args.deepest_below.i32(),
                                   .tokens = args.tokens.i32(),
                                   .sources = args.sources.i32(),
                                   .choices = args.choices.i32(),
                                   .match = args.match.i32(),
                                   .end_tokens = args.end_tokens.i32(),
                                   .last_length = args.last_length.i32(),
                                   .known = args.known.as<int32_t>(),
                                   .known_count = args.known_count.as<int32_t>(),
                                   .cache_length = args.cache_length.as<int32_t>(),
                                   .is_known = args.is_known.as<uint8_t>(),
                                   .known_rows = args.known_rows.as<int32_t>(),
                                   .finish = args.finish.as<int32_t>(),
                                   .step = args.step.as<int32_t>(),
                                   .kept_rows = args.kept_rows.as<int32_t>(),
                                   .kept_count = args.kept_count.as<int32_t>(),
                                   .first_row = args.first_row.as<int32_t>(),
                                   .next_rows = args.next_rows.as<int32_t>(),
                                   .records = args.records.as<StepRecord>(),
                                   .nodes = args.tokens.shape[0],
                                   .ends = args.end_tokens ? args.end_tokens.shape[0] : 0,
                                   .depth = args.next_rows.shape[0]};
  enqueue(module().accept_path, kernel, "accept_path");
}

}  // namespace msn
