#include "plan/profile.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace falconet {

std::vector<InstructionTime> profile_plan(Plan& plan, const void* const* inputs, void* const* outputs, int repeats) {
  if (repeats < 1) fail("[profile] `repeats` is ", repeats, "; it must be at least 1");
  using Clock = std::chrono::steady_clock;
  const auto& instructions = plan.instructions();
  std::vector<std::vector<double>> times(instructions.size());
  plan.run(inputs, outputs);
  for (int r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < instructions.size(); ++i) {
      const auto begin = Clock::now();
      run_instruction(instructions[i]);
      times[i].push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
    }
  }
  std::vector<InstructionTime> result;
  for (size_t i = 0; i < instructions.size(); ++i) {
    auto& t = times[i];
    std::nth_element(t.begin(), t.begin() + t.size() / 2, t.end());
    const InstructionInfo& info = plan.infos()[i];
    result.push_back({info.name, t[t.size() / 2], info.flops, info.bytes, instructions[i].grain > 0});
  }
  return result;
}

}  // namespace falconet
