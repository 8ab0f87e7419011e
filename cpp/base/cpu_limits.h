// How many processors this process may use, and which one a thread is on.
#pragma once

#include <string>

namespace falconet::cpu {

// Logical processors in the affinity mask; at least 1.
int usable_cpus();

// Physical cores among them, and no more than the cgroup quota rounded up; at least 1.
int usable_cores();

// The logical processor that the calling thread is on at this moment; -1 where the system does not say.
int current_cpu();

// Processors' worth of time that cgroups (v1 or v2, this group or any above it) allow; infinite where there is no
// limit. `root` is put before /proc and the mount points: tests lay out a tree of their own.
double cgroup_quota(const std::string& root = "");

}  // namespace falconet::cpu
