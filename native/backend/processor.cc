#include "backend/processor.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

#ifdef MSN_X86
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace msn {
namespace {

#ifdef __linux__
// One processor of each physical core among those of the affinity mask.
int cores_of_affinity() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  std::set<std::string> cores;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &mask)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = "processor " + std::to_string(processor);
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

// Cores' worth of time that a quota file grants; infinity where there is none.
double quota_of_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return INFINITY;
  return std::atof(quota.c_str()) / period;
}

double quota_of_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return INFINITY;
  return quota / period;
}

// The least quota of this process's control group and the groups above it.
double quota_of_control_groups() {
  double quota = std::min(quota_of_v2("/sys/fs/cgroup"), quota_of_v1("/sys/fs/cgroup/cpu"));
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t colon = line.rfind(':');
    if (colon == std::string::npos) continue;
    const bool v2 = line.rfind("0::", 0) == 0;
    for (std::string path = line.substr(colon + 1); path.size() > 1; path = path.substr(0, path.rfind('/')))
      quota = std::min(quota,
                       v2 ? quota_of_v2("/sys/fs/cgroup" + path) : quota_of_v1("/sys/fs/cgroup/cpu" + path));
  }
  return quota;
}
#endif

}  // namespace

const char* instruction_set_name(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kGeneric:
      break;
  }
  return "generic";
}

InstructionSet best_instruction_set() {
#ifdef MSN_X86
  // These ask the system too: a processor with wide registers that the system does not save counts as
  // without.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return InstructionSet::kAvx512;
  if (avx2) return InstructionSet::kAvx2;
#endif
  return InstructionSet::kGeneric;
}

int usable_cores() {
  int cores = 0;
#ifdef __linux__
  cores = cores_of_affinity();
  const double quota = quota_of_control_groups();
  if (cores > 0 && quota < cores) cores = static_cast<int>(std::ceil(quota));
#endif
  if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(cores, 1);
}

std::string processor_name() {
#ifdef MSN_X86
  unsigned words[12] = {};
  if (__get_cpuid_max(0x80000000u, nullptr) >= 0x80000004u) {
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
      unsigned* part = words + 4 * leaf;
      __get_cpuid(0x80000002u + leaf, part, part + 1, part + 2, part + 3);
    }
    const char* brand = reinterpret_cast<const char*>(words);
    const std::string name(brand, std::find(brand, brand + sizeof words, '\0'));
    const size_t begin = name.find_first_not_of(' ');
    if (begin != std::string::npos) return name.substr(begin, name.find_last_not_of(' ') - begin + 1);
  }
#endif
  return "CPU";
}

int64_t physical_memory_bytes() {
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0) return pages * page_bytes;
#endif
  return 0;
}

}  // namespace msn
