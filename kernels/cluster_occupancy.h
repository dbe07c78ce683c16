// How many clusters of blocks the selected device runs at the same time.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

// Fills in `clusters` from the other facts; what the device cannot say stays zero.
void count_clusters(DeviceFacts* facts);

}  // namespace msn::kernels
