// What the handles of streams, events and graphs point to.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/shim/cuda_runtime.h"
#include "kernels/shim/work_queue.h"

struct CUstream_st {
  msn::kernels::shim::WorkQueue queue;
  bool capturing = false;
  bool capture_failed = false;
  std::vector<msn::kernels::shim::Work> captured;
};

struct CUevent_st {
  std::weak_ptr<CUstream_st> stream;
  uint64_t position = 0;
};

struct CUgraph_st {
  std::vector<msn::kernels::shim::Work> work;
};

struct CUgraphExec_st {
  std::vector<msn::kernels::shim::Work> work;
};
