// Splits a rare, long loop on the host (loading weights) into a few threads of its own. Not for the engine's
// operations: they have their pool.
#pragma once
#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace msn {

// Calls body(first, last) on ranges that cover [0, count), each at least `smallest` long, on at most
// `threads` threads, and returns when all are done. body must not throw.
template <class Body>
void parallel_ranges(int64_t count, int64_t smallest, int64_t threads, const Body& body) {
  const int64_t parts = std::clamp<int64_t>(count / smallest, 1, std::max<int64_t>(threads, 1));
  std::vector<std::jthread> helpers;
  for (int64_t part = 1; part < parts; ++part)
    helpers.emplace_back(
        [&body, first = count * part / parts, last = count * (part + 1) / parts] { body(first, last); });
  body(int64_t{0}, count / parts);
}

}  // namespace msn
