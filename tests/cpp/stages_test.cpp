// Stages: on random dependences, everything that must not run together or in another order does not.
#include "plan/stages.h"

#include <algorithm>
#include <random>

#include "check.h"

using namespace falconet;

namespace {

std::vector<std::pair<int64_t, int64_t>> ran;  // units, in the order in which chunks came

void note_units(const void*, int64_t begin, int64_t end) { ran.push_back({begin, end}); }

struct Program {
  std::vector<Instruction> instructions;
  std::vector<StageInput> inputs;

  void add(std::vector<Access> accesses, int64_t time, int64_t grain = 0) {
    instructions.push_back({note_units, nullptr, 8, grain});
    inputs.push_back({std::move(accesses), time, false});
  }
  std::vector<int> stages() const { return find_stages(instructions, inputs); }
};

bool conflict(const StageInput& a, const StageInput& b) {
  for (const Access& x : a.accesses) {
    for (const Access& y : b.accesses) {
      if (x.memory == y.memory && x.begin < y.end && y.begin < x.end && (x.writes || y.writes)) return true;
    }
  }
  return false;
}

}  // namespace

TEST(what_depends_on_each_other_keeps_its_order) {
  std::mt19937 random(1);
  const auto below = [&random](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint32_t>(n)); };
  int joined = 0;
  for (int round = 0; round < 500; ++round) {
    Program p;
    const int64_t count = 1 + below(40);
    for (int64_t i = 0; i < count; ++i) {
      std::vector<Access> accesses;
      for (int64_t k = below(4); k >= 0; --k) {
        const int64_t begin = below(4);
        accesses.push_back({below(6) - 1, begin, begin + below(3), below(3) == 0});
      }
      p.add(std::move(accesses), below(10'000), below(2));
      p.inputs.back().alone = below(12) == 0;
    }
    const std::vector<int> stage_of = p.stages();
    CHECK_EQ(static_cast<int64_t>(stage_of.size()), count);
    for (int64_t a = 0; a < count; ++a) {
      for (int64_t b = a + 1; b < count; ++b) {
        const bool alone = p.inputs[a].alone || p.inputs[b].alone;
        if (alone || conflict(p.inputs[a], p.inputs[b])) CHECK(stage_of[a] < stage_of[b]);
        joined += stage_of[a] == stage_of[b];
      }
    }
    // Without gaps.
    std::vector<int> sorted = stage_of;
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    CHECK_EQ(sorted.front(), 0);
    CHECK_EQ(sorted.back() + 1, static_cast<int>(sorted.size()));
  }
  CHECK(joined > 500);
}

TEST(it_has_to_pay) {
  Program shared;  // a region of its own anyway: the short one rides along
  shared.add({{0, 0, 8, true}}, 50'000, 1);
  shared.add({{1, 0, 8, true}}, 100);
  CHECK(shared.stages() == (std::vector<int>{0, 0}));
  Program serial;
  serial.add({{0, 0, 8, true}}, 5'000);
  serial.add({{1, 0, 8, true}}, 100);
  CHECK(serial.stages() == (std::vector<int>{0, 1}));
  Program two;
  two.add({{0, 0, 8, true}}, 5'000);
  two.add({{1, 0, 8, true}}, 5'000);
  CHECK(two.stages() == (std::vector<int>{0, 0}));
}

TEST(one_may_overtake_what_it_does_not_need) {
  Program p;
  p.add({{0, 0, 8, true}}, 50'000, 1);
  p.add({{0, 0, 8, false}, {1, 0, 8, true}}, 50'000, 1);  // needs the first
  p.add({{2, 0, 8, true}}, 50'000, 1);                    // needs none
  p.add({{1, 0, 8, false}, {3, 0, 8, true}}, 50'000, 1);  // needs the second
  CHECK(p.stages() == (std::vector<int>{0, 1, 0, 2}));
}

TEST(chunks_cover_each_unit_once_and_first_halves_come_first) {
  const std::vector<Instruction> together = {
      {note_units, nullptr, 10, 1}, {note_units, nullptr, 62, 8}, {note_units, nullptr, 3, 0}};
  const std::vector<StageChunk> chunks = stage_chunks(together);
  ran.clear();
  run_stage_chunks(chunks.data(), 0, static_cast<int64_t>(chunks.size()));
  CHECK_EQ(ran.size(), 10u + 8u + 1u);
  for (const int64_t grain : {1, 8, 3}) {
    const int64_t units = grain == 1 ? 10 : grain == 8 ? 62 : 3;
    int64_t at = 0;
    for (const auto& [begin, end] : ran) {
      if (end - begin != std::min(grain, units - begin) || begin != at) continue;
      at = end;
    }
    CHECK_EQ(at, units);
  }
  // The first half of the chunks holds those of each instruction that lie in its first half.
  size_t early = 0;
  for (size_t i = 0; i < ran.size() / 2; ++i) early += ran[i].second - ran[i].first == 1 && ran[i].first < 5;
  CHECK_EQ(early, 5u);
}
