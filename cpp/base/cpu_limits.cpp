// Affinity, physical cores and cgroup quota, from what each system tells.
#include "base/cpu_limits.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#endif

namespace falconet::cpu {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

int hardware_threads() { return std::max(1u, std::thread::hardware_concurrency()); }

bool has_token(const std::string& list, const std::string& token) {  // commas between
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    if (part == token) return true;
  }
  return false;
}

// cgroup v2: "max 100000" or "150000 100000", microseconds allowed in each period.
double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota, period;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kUnlimited;
}

// cgroup v1: two files; a quota of -1 is no limit.
double quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : kUnlimited;
}

// The path of this process in the hierarchy of one mount: v2 has no controller list, v1 lists "cpu" among its own.
std::string cgroup_path(const std::string& root, bool v2) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? controllers.empty() : has_token(controllers, "cpu")) return line.substr(second + 1);
  }
  return "/";
}

#if defined(__linux__)

cpu_set_t* allocate_affinity(int* count) {
  // The kernel refuses a set smaller than its own; machines of more than 1,024 processors need a larger one.
  for (int size = 1024; size <= 1 << 16; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(size);
    if (!set) return nullptr;
    CPU_ZERO_S(CPU_ALLOC_SIZE(size), set);
    if (sched_getaffinity(0, CPU_ALLOC_SIZE(size), set) == 0) {
      *count = size;
      return set;
    }
    CPU_FREE(set);
  }
  return nullptr;
}

std::vector<int> affinity() {
  std::vector<int> cpus;
  int count = 0;
  if (cpu_set_t* set = allocate_affinity(&count)) {
    for (int cpu = 0; cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, CPU_ALLOC_SIZE(count), set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
  }
  return cpus;
}

int physical_cores() {
  const std::vector<int> cpus = affinity();
  std::set<std::string> cores;
  for (int cpu : cpus) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (std::getline(file, siblings)) cores.insert(siblings);
  }
  return cores.empty() ? static_cast<int>(cpus.size()) : static_cast<int>(cores.size());
}

#elif defined(__APPLE__)

int physical_cores() {
  int cores = 0;
  size_t size = sizeof(cores);
  return sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 ? cores : hardware_threads();
}

#elif defined(_WIN32)

int physical_cores() {
  DWORD_PTR mask = 0, system_mask = 0;
  DWORD bytes = 0;
  GetProcessAffinityMask(GetCurrentProcess(), &mask, &system_mask);
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> rows(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (rows.empty() || !GetLogicalProcessorInformation(rows.data(), &bytes)) return hardware_threads();
  return static_cast<int>(std::count_if(rows.begin(), rows.end(), [mask](const auto& row) {
    return row.Relationship == RelationProcessorCore && (row.ProcessorMask & mask) != 0;
  }));
}

#else

int physical_cores() { return hardware_threads(); }

#endif

}  // namespace

int usable_cpus() {
#if defined(__linux__)
  const int cpus = static_cast<int>(affinity().size());
  return cpus ? cpus : hardware_threads();
#else
  return hardware_threads();
#endif
}

int usable_cores() {
  const double quota = std::ceil(cgroup_quota());
  const int cores = std::max(1, physical_cores());
  return quota < cores ? std::max(1, static_cast<int>(quota)) : cores;
}

int current_cpu() {
#if defined(__linux__)
  return sched_getcpu();
#elif defined(_WIN32)
  return static_cast<int>(GetCurrentProcessorNumber());
#else
  return -1;
#endif
}

double cgroup_quota(const std::string& root) {
  double quota = kUnlimited;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  // "36 35 98:0 /group /sys/fs/cgroup/cpu rw,noatime master:1 - cgroup cgroup rw,cpu,cpuacct"
  for (std::string line; std::getline(mounts, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(dash + 3));
    std::string skip, group, mount_point, type, options;
    before >> skip >> skip >> skip >> group >> mount_point;
    after >> type >> skip >> options;
    const bool v2 = type == "cgroup2";
    if (!v2 && !(type == "cgroup" && has_token(options, "cpu"))) continue;
    // A container sees its own group at the mount point, while /proc may still tell the host's path.
    std::string path = cgroup_path(root, v2);
    if (group != "/") path = path.compare(0, group.size(), group) == 0 ? path.substr(group.size()) : "";
    for (;;) {
      while (!path.empty() && path.back() == '/') path.pop_back();
      const std::string folder = root + mount_point + path;
      quota = std::min(quota, v2 ? quota_v2(folder) : quota_v1(folder));
      if (path.empty()) break;
      path.erase(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
  }
  return quota;
}

}  // namespace falconet::cpu
