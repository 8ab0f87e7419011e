#include "plan/stages.h"

#include <algorithm>

namespace falconet {

namespace {

bool meet(const Access& a, const Access& b) {
  return a.memory == b.memory && a.begin < b.end && b.begin < a.end && (a.writes || b.writes);
}

bool independent(const StageInput& a, const StageInput& b) {
  return std::none_of(a.accesses.begin(), a.accesses.end(), [&b](const Access& x) {
    return std::any_of(b.accesses.begin(), b.accesses.end(), [&x](const Access& y) { return meet(x, y); });
  });
}

// Instructions after a stage's first that may join it. A step's gradient has some ten instructions for each layer.
constexpr size_t kWindow = 16;
// Nanoseconds that serial instructions side by side must save over one after the other.
constexpr int64_t kWorthSaving = 2'000;

// Those that can run with instruction `first`, itself the first of them: each needs nothing of the others, nor of what
// lies between and is left for later.
std::vector<size_t> companions(size_t first, const std::vector<StageInput>& inputs, const std::vector<int>& stage_of) {
  std::vector<size_t> together = {first}, seen = {first};
  if (inputs[first].alone) return together;
  for (size_t i = first + 1; i < std::min(inputs.size(), first + kWindow); ++i) {
    if (stage_of[i] >= 0) continue;
    if (inputs[i].alone) break;
    if (std::all_of(seen.begin(), seen.end(), [&](size_t s) { return independent(inputs[s], inputs[i]); })) {
      together.push_back(i);
    }
    seen.push_back(i);
  }
  return together;
}

}  // namespace

std::vector<int> find_stages(const std::vector<Instruction>& instructions, const std::vector<StageInput>& inputs) {
  std::vector<int> stage_of(instructions.size(), -1);
  int stage = 0;
  for (size_t first = 0; first < instructions.size(); ++first) {
    if (stage_of[first] >= 0) continue;
    const std::vector<size_t> together = companions(first, inputs, stage_of);
    bool shared = false;
    int64_t time = 0, longest = 0;
    for (size_t i : together) {
      shared |= instructions[i].grain > 0;
      time += inputs[i].time;
      longest = std::max(longest, inputs[i].time);
    }
    if (shared || time - longest >= kWorthSaving) {
      for (size_t i : together) stage_of[i] = stage;
    }
    stage_of[first] = stage++;
  }
  return stage_of;
}

std::vector<StageChunk> stage_chunks(const std::vector<Instruction>& instructions) {
  struct Placed {
    StageChunk chunk;
    int64_t numerator, denominator;  // of where it lies in its instruction, from 0 to 1
  };
  std::vector<Placed> placed;
  for (const Instruction& in : instructions) {
    const int64_t grain = in.grain > 0 ? in.grain : in.units, count = (in.units + grain - 1) / grain;
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      const int64_t begin = chunk * grain;
      placed.push_back({{in.task, in.args, begin, std::min(begin + grain, in.units)}, 2 * chunk + 1, 2 * count});
    }
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return a.numerator * b.denominator < b.numerator * a.denominator;
  });
  std::vector<StageChunk> chunks;
  for (const Placed& p : placed) chunks.push_back(p.chunk);
  return chunks;
}

void run_stage_chunks(const void* untyped, int64_t begin, int64_t end) {
  const StageChunk* chunks = static_cast<const StageChunk*>(untyped);
  for (const StageChunk* c = chunks + begin; c != chunks + end; ++c) c->task(c->args, c->begin, c->end);
}

}  // namespace falconet
