// Turns a graph into a plan: groups, programs, instructions, memory.
#pragma once

#include <memory>

#include "plan/plan.h"

namespace falconet {

// `arena`: where activations live; shared by plans that never run at the same time.
std::unique_ptr<Plan> make_plan(const Graph& graph, std::shared_ptr<Arena> arena);

// Work below this much (flops, or quarter bytes) stays in the caller's thread: some ten microseconds of one core, against
// up to six for waking a parked worker.
inline constexpr int64_t kParallelCost = 1'000'000;
// Chunks are made at least this large, so that claiming them is free by comparison.
inline constexpr int64_t kChunkCost = 100'000;

}  // namespace falconet
