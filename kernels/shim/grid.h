// Runs the blocks of a grid on a few threads.
#pragma once
#include <functional>

#include "kernels/shim/execution.h"
#include "kernels/shim/settings.h"

namespace msn::kernels::shim {

// Returns when all blocks have ended. Grids run one at a time.
void run_grid(const GridShape& grid, const Settings& settings, const std::function<void()>& body);

}  // namespace msn::kernels::shim
