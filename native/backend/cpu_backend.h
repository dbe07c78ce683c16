// The CPU engine behind the Backend interface.
#pragma once
#include <memory>

#include "backend/backend.h"
#include "backend/processor.h"

namespace msn {

// threads: in all, at least 1. The instruction set must be one that the machine has.
std::shared_ptr<Backend> make_cpu_backend(int threads, InstructionSet instructions);

}  // namespace msn
