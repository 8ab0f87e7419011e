// Times a plan instruction by instruction.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace falconet {

struct InstructionTime {
  std::string name;
  double median_ns;
  int64_t flops, bytes;
  bool parallel;
};

// Runs the plan `repeats` times (updates take effect each time) and gives each instruction's median.
std::vector<InstructionTime> profile_plan(Plan& plan, const void* const* inputs, void* const* outputs, int repeats);

}  // namespace falconet
