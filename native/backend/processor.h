// What the processor and the system grant this process.
#pragma once
#include <cstdint>
#include <string>

namespace msn {

enum class InstructionSet { kGeneric, kAvx2, kAvx512 };
const char* instruction_set_name(InstructionSet set);  // "generic", "avx2", "avx512"

// The widest set that both this build and this machine have.
InstructionSet best_instruction_set();
// Physical cores that this process may use: its affinity mask, one thread per core, at most the CPU quota of
// its control group. At least 1.
int usable_cores();
std::string processor_name();
int64_t physical_memory_bytes();  // 0 where the system does not say

}  // namespace msn
