// What a block says of itself when its kernel is at fault.
#include <unistd.h>

#include <cstdio>
#include <iomanip>
#include <sstream>

#include "kernels/shim/block.h"

namespace msn::kernels::shim {

void Block::report_deadlock() {
  const uint3 index = context_.index;
  std::ostringstream text;  // written at once: another worker may report, too
  text << "CUDA shim: deadlock in block (" << index.x << ", " << index.y << ", " << index.z << "): " << alive_
       << " of " << thread_count_ << " threads never end\n"
       << std::hex << std::setfill('0');
  for (unsigned w = 0; w < warp_count_; ++w) {
    const Warp& warp = warps_[w];
    const auto say = [&](uint32_t lanes, const char* where) {
      if (lanes != 0)
        text << "  warp " << std::dec << w << std::hex << ": lanes " << std::setw(8) << lanes << " wait "
             << where;
    };
    say(warp.at_barrier, "at the block's barrier\n");
    say(warp.at_cluster_barrier, "at the cluster's barrier\n");
    for (unsigned k = 0; k < warp.pending_count; ++k) {
      say(warp.pending[k].arrived, "in a collective of lanes ");
      text << std::setw(8) << warp.pending[k].mask << '\n';
    }
  }
  std::fputs(text.str().c_str(), stderr);
  std::fflush(stderr);
  _exit(71);
}

int Block::describe_running(char* text, size_t bytes) const {
  const uint3 block = context_.index;
  const uint3 thread = running_->context.index;
  return std::snprintf(text, bytes, "block (%u, %u, %u), thread (%u, %u, %u): ", block.x, block.y, block.z,
                       thread.x, thread.y, thread.z);
}

}  // namespace msn::kernels::shim
