#include "profile.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <vector>

#include "base/stopwatch.h"
#include "model/kv_cache.h"
#include "model/transformer.h"
#include "runtime/prefill.h"

namespace msn::gpu {
namespace {

constexpr int kReplaysASample = 10, kSamples = 5;

// Of one replay, when many follow one another.
double milliseconds_a_replay(Backend& backend, Recording& recording) {
  std::vector<double> samples;
  for (int sample = -1; sample < kSamples; ++sample) {  // the first one warms up
    const Stopwatch stopwatch;
    for (int replay = 0; replay < kReplaysASample; ++replay) recording.replay();
    backend.synchronize();
    if (sample >= 0) samples.push_back(stopwatch.milliseconds() / kReplaysASample);
  }
  return spread_of(samples).median;
}

}  // namespace

std::map<std::string, OperationSum> profile_pass(const Model& model, ProfiledBackend& backend,
                                                 int64_t context, int64_t nodes) {
  const std::vector<int32_t> tokens = random_tokens(context + nodes, model.shape().vocabulary_size, 3);
  const std::span<const int32_t> all(tokens);
  const std::vector<int32_t> parents = chain_parents(nodes);
  const int64_t chunk = prefill_chunk(backend, static_cast<size_t>(context));
  KvCache cache(backend, model.shape());
  cache.reserve(context + nodes);
  Transformer transformer(model, std::max(nodes, chunk), nodes);
  prefill(transformer, cache, all.first(static_cast<size_t>(context)), chunk, {});
  const DeviceNodes loaded =
      transformer.load({all.subspan(static_cast<size_t>(context)), parents}, cache);
  const auto pass = [&] {
    transformer.enqueue(loaded, cache);
    transformer.logits(0, nodes);
  };
  pass();
  backend.begin_times();
  pass();
  std::map<std::string, OperationSum> sums = backend.end_times();
  for (auto& [kind, sum] : sums) {
    backend.only(kind);
    const std::unique_ptr<Recording> recording = backend.capture(pass);
    sum.milliseconds = milliseconds_a_replay(backend, *recording);
  }
  backend.only("");
  return sums;
}

void write_profile(const std::map<std::string, OperationSum>& sums, const std::string& what,
                   const Record& fields, const std::string& results) {
  std::vector<std::pair<std::string, OperationSum>> kinds(sums.begin(), sums.end());
  std::sort(kinds.begin(), kinds.end(),
            [](const auto& a, const auto& b) { return a.second.milliseconds > b.second.milliseconds; });
  double all = 0;
  for (const auto& [kind, sum] : kinds) all += sum.milliseconds;
  std::printf("%s: %.3f ms in all\n", what.c_str(), all);
  for (const auto& [kind, sum] : kinds) {
    const double gigabytes = sum.bytes / sum.milliseconds / 1e6;
    const double teraflops = sum.operations / sum.milliseconds / 1e9;
    std::printf("  %-44s %5lld x %9.1f us = %9.3f ms", kind.c_str(), static_cast<long long>(sum.count),
                1000 * sum.milliseconds / static_cast<double>(sum.count), sum.milliseconds);
    if (sum.bytes > 0) std::printf("  %7.0f GB/s", gigabytes);
    if (sum.operations > 0) std::printf("  %6.1f TFLOP/s", teraflops);
    std::printf("\n");
    Record record = fields;
    record.text("operation", kind).integer("count", sum.count).number("milliseconds", sum.milliseconds);
    if (sum.bytes > 0) record.number("gigabytesPerSecond", gigabytes);
    if (sum.operations > 0) record.number("teraflops", teraflops);
    record.write(results);
  }
  std::fflush(stdout);
}

}  // namespace msn::gpu
