#include "plan/profile.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/thread_pool.h"

namespace falconet {

std::vector<InstructionTime> profile_plan(Plan& plan, const void* const* inputs, void* const* outputs, int repeats) {
  if (repeats < 1) fail("[profile] `repeats` is ", repeats, "; it must be at least 1");
  using Clock = std::chrono::steady_clock;
  const auto& instructions = plan.instructions();
  std::vector<std::vector<double>> times(instructions.size());
  plan.run(inputs, outputs);
  for (int r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < instructions.size(); ++i) {
      const Instruction& in = instructions[i];
      const auto begin = Clock::now();
      in.grain == 0 ? in.task(in.args, 0, in.units) : pool::parallel_for(in.task, in.args, in.units, in.grain);
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
