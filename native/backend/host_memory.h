// Host memory as the CPU backend hands it out: zeroed, aligned, on large pages where that helps.
#pragma once
#include "ops/tensor.h"

namespace msn {

// Aligned to 64 bytes and zeroed; throws ERR_OUT_OF_MEMORY.
Buffer allocate_host_memory(int64_t bytes);

}  // namespace msn
