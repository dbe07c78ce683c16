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
// results of a long past few. In each of the three ranges, from position kBegin and span kFirst on:
template <int kBegin, int kFirst, int kLength>
struct SpanRange {
  static constexpr int begin = kBegin, first = kFirst, length = kLength;
  MSN_HOST_DEVICE static constexpr int span_of(int position) {
    return kFirst + (position - kBegin) / kLength;
  }
  MSN_HOST_DEVICE static constexpr int begin_of(int span) { return kBegin + (span - kFirst) * kLength; }
};
using ShortSpans = SpanRange<0, 0, 256>;
using MiddleSpans = SpanRange<4096, ShortSpans::span_of(4096), 1024>;
using LongSpans = SpanRange<16384, MiddleSpans::span_of(16384), 2048>;

// The span that holds `position`.
MSN_HOST_DEVICE constexpr int span_of(int position) {
  return position < MiddleSpans::begin ? ShortSpans::span_of(position)
         : position < LongSpans::begin ? MiddleSpans::span_of(position)
                                       : LongSpans::span_of(position);
}
// The first position of a span.
MSN_HOST_DEVICE constexpr int span_begin(int span) {
  return span < MiddleSpans::first ? ShortSpans::begin_of(span)
         : span < LongSpans::first ? MiddleSpans::begin_of(span)
                                   : LongSpans::begin_of(span);
}

static_assert(span_of(span_begin(15)) == 15 && span_of(span_begin(16)) == 16 && span_begin(16) == 4096);
static_assert(span_of(span_begin(28) - 1) == 27 && span_begin(28) == 16384 && span_begin(29) == 18432);

}  // namespace msn::kernels
