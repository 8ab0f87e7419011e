// The process's worker threads.
//
// parallel_for cuts [0, units) into chunks of `grain` units, which threads claim as they become free, so that a
// preempted thread delays one chunk and not the region. The caller works too and returns when all is done. Workers spin
// for microseconds after their last chunk, then park. Chunks depend on units and grain alone, never on the threads.
#pragma once

#include <cstdint>

#include "base/task.h"

namespace falconet::pool {

// Threads that a parallel region may use, the caller included: FALCONET_THREADS where set, else the smallest of the
// affinity mask, the cgroup quota (rounded up), the physical cores and OMP_NUM_THREADS. At least 1.
int num_threads();

// n >= 1; more than the machine has is allowed. Throws ValueError otherwise. Waits for a running region.
void set_num_threads(int n);

// Runs in the caller alone if there is one chunk, one thread, or the caller is itself inside a region. A second thread
// that enters while a region runs does its own work alone: it neither waits nor fails. Workers take on the caller's
// floating-point mode (base/fpu.h) for the region. Allocates nothing once the workers run. task must not throw, fork or
// resize the pool.
void parallel_for(TaskFn task, const void* args, int64_t units, int64_t grain);

// Stops and joins the workers (they come back at the next region). Called before fork and at exit.
void shutdown();

}  // namespace falconet::pool
