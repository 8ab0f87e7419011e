// Which instructions of a plan run at the same time.
//
// Instructions that lie near one another and need nothing of one another become one stage, a single parallel region:
// the two products of a layer's gradient and the sum that is its bias's, say. So threads meet once a stage instead of
// once an instruction, and a short serial instruction runs beside others instead of while all wait for it. What a chunk
// holds changes no bit of a result.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace falconet {

// A range of bytes in one of the plan's memories. Two instructions may change places, or run at the same time, unless
// they touch one range and one of them writes there.
struct Access {
  int64_t memory;
  int64_t begin, end;
  bool writes;
};

struct StageInput {
  std::vector<Access> accesses;
  int64_t time = 0;    // nanoseconds on one thread, about
  bool alone = false;  // starts regions of its own, or touches what no access tells
};

// For each instruction the number of its stage, from 0. Instructions that depend on each other have stages in their
// order. A stage of several is one of which it pays to hand some over to other threads.
std::vector<int> find_stages(const std::vector<Instruction>& instructions, const std::vector<StageInput>& inputs);

// A chunk of an instruction in a stage of several.
struct StageChunk {
  TaskFn task;
  const void* args;
  int64_t begin, end;  // units
};

// The chunks of one stage's instructions, in the order in which threads are dealt them: each instruction's first half
// before any one's second, as the threads hold those rows in their caches that they had before.
std::vector<StageChunk> stage_chunks(const std::vector<Instruction>& instructions);

// const StageChunk*: units are chunks.
void run_stage_chunks(const void* chunks, int64_t begin, int64_t end);

}  // namespace falconet
