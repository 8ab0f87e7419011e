// From a group of pointwise nodes to a tile program.
#pragma once

#include <deque>
#include <vector>

#include "graph/lowering.h"
#include "plan/tile.h"

namespace falconet {

// A program whose operands still name values. The planner lays it out and binds the addresses.
struct TileDraft {
  struct Operand {
    TileOperand tile;
    ValueId value = kNoValue;        // whose memory (a root), plus
    int64_t offset = 0;              // bytes; or
    bool is_constant = false;        // a number of the program's own
    double number = 0;
    int first_write = -1, last_read = -1;  // steps, for in-place
  };
  std::vector<Operand> operands;
  std::vector<TileStep> steps;       // slots: registers first, then operands
  int num_registers = 0;
  int64_t register_bytes = 0;
  int64_t tile = 0;
  int64_t size = 0;
  int reduce_slot = -1;              // of the value a tail reduces
  int64_t step_cost = 0;             // flops an element, for the choice of grain

  // Whether an output may be written into the memory of an input that nobody else reads afterwards.
  bool may_share(const Operand& output, const Operand& input) const;
};

class TileBuilder {
 public:
  // `root`, `root_offset`: see Planner. `is_output(v)`: somebody outside the group needs v in memory.
  TileBuilder(const Graph& graph, const Kernels& kernels, const std::vector<ValueId>& root,
              const std::vector<int64_t>& root_offset, const std::vector<bool>& is_output)
      : graph_(graph), kernels_(kernels), root_(root), root_offset_(root_offset), is_output_(is_output) {}

  // `reduced`: the value that a tail reduces, or kNoValue. `hoist_periodic`: tiles start at multiples of their length.
  TileDraft build(const std::vector<int>& nodes, int64_t size, ValueId reduced, bool hoist_periodic);

 private:
  class Emitter;
  struct Virtual {  // a step in terms of virtual slots: >= 0 register, < 0: operand ~slot
    MicroFn fn;
    Micro micro;
    bool is_micro;
    int y, a, b, c;
  };
  static constexpr int kUnused = 1 << 30;

  int operand_for(ValueId v, const Shape& domain, bool pointer);
  int constant_for(double value, Lane lane);
  int new_register(Lane lane) {
    lane_bytes_.push_back(lane_bytes(lane));
    return num_virtual_++;
  }
  void fuse_pairs();
  void assign_registers(TileDraft& draft, bool hoist_periodic);

  const Graph& graph_;
  const Kernels& kernels_;
  const std::vector<ValueId>& root_;
  const std::vector<int64_t>& root_offset_;
  const std::vector<bool>& is_output_;

  std::vector<Virtual> steps_;
  std::vector<TileDraft::Operand> operands_;
  std::vector<Shape> operand_shape_;
  std::vector<std::pair<ValueId, int>> made_;  // value -> virtual slot
  std::vector<bool> pinned_;                   // registers that outlive their last step (stored, reduced)
  int num_virtual_ = 0;
  std::vector<int64_t> lane_bytes_;            // of each virtual register
  bool has_wide_lanes_ = false;                // some register holds 8-byte lanes
};

}  // namespace falconet
