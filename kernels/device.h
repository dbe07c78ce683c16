// Memory, streams and graphs for the module's table.
#pragma once
#include "kernels/module.h"

namespace msn::kernels {

DeviceFunctions device_functions();

}  // namespace msn::kernels
