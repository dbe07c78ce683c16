// The axis of positions, cut in one way for every call: what of a node's past is closed, and the spans in
// which blocks of threads share it. Functions of positions alone, so that sums have one order.
#pragma once
#include "base/philox.h"  // MSN_HOST_DEVICE

namespace msn::kernels {

constexpr int kBlockPositions = 64;
constexpr int kDeepestTreeNode = 32;

// Positions 0 .. closed_end - 1 are closed for a node at `position`: whole blocks that lie below the root of
// every tree which can hold the node, and so in the cache. The others, itself included, are open.
MSN_HOST_DEVICE constexpr int closed_end(int position) {
  return position < kDeepestTreeNode ? 0 : (position - kDeepestTreeNode) / kBlockPositions * kBlockPositions;
}
constexpr int kMostOpenPositions = kBlockPositions + kDeepestTreeNode;

// Spans grow with the position: short ones spread a short past over the device, long ones keep the partial
// results of a long past few. In each of the three ranges:
struct SpanRange {
  int begin;  // position
  int first;  // span
  int length;
};
constexpr SpanRange kShortSpans = {0, 0, 256};
constexpr SpanRange kMiddleSpans = {4096, kShortSpans.first + (4096 - kShortSpans.begin) / kShortSpans.length,
                                    1024};
constexpr SpanRange kLongSpans = {
    16384, kMiddleSpans.first + (16384 - kMiddleSpans.begin) / kMiddleSpans.length, 2048};

// The span that holds `position`.
MSN_HOST_DEVICE constexpr int span_of(int position) {
  const SpanRange range = position < kMiddleSpans.begin ? kShortSpans
                          : position < kLongSpans.begin ? kMiddleSpans
                                                        : kLongSpans;
  return range.first + (position - range.begin) / range.length;
}
// The first position of a span.
MSN_HOST_DEVICE constexpr int span_begin(int span) {
  const SpanRange range = span < kMiddleSpans.first ? kShortSpans
                          : span < kLongSpans.first ? kMiddleSpans
                                                    : kLongSpans;
  return range.begin + (span - range.first) * range.length;
}

static_assert(span_of(span_begin(15)) == 15 && span_of(span_begin(16)) == 16 && span_begin(16) == 4096);
static_assert(span_of(span_begin(28) - 1) == 27 && span_begin(28) == 16384 && span_begin(29) == 18432);

}  // namespace msn::kernels
