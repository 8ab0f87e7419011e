// Turns a graph into a plan: groups, programs, instructions, memory.
#pragma once

#include <memory>

#include "plan/plan.h"

namespace falconet {

// `arena`: where activations live; shared by plans that never run at the same time.
std::unique_ptr<Plan> make_plan(const Graph& graph, std::shared_ptr<Arena> arena);

// Units of a chunk for work of about `flops` on `bytes`, cut in `units` pieces, or 0 where it should stay in the caller's
// thread: handing work over costs a microsecond while a worker spins and some six where it has to be woken.
int64_t parallel_grain(int64_t units, int64_t flops, int64_t bytes, int threads);

}  // namespace falconet
