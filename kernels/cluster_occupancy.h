// How many clusters of blocks the selected device runs at the same time.
#pragma once
#include "kernels/launch.h"

namespace msn::kernels {

// Fills in `clusters` of a device of 9.0 or later from its other facts; what it cannot say stays zero.
void count_clusters(DeviceFacts* facts);

}  // namespace msn::kernels
