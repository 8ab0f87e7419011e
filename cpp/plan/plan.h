// A plan: a flat list of kernel calls on fixed addresses.
//
// Made once for a graph (planner.h) and run many times. Running allocates nothing, takes no lock and enters no Python;
// what differs from run to run (inputs, outputs, moved variables) is written into the instructions' arguments first. So
// one plan runs in one thread at a time; its owner sees to that.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "graph/graph.h"
#include "graph/lowering.h"

namespace falconet {

// Activation memory that all plans of a model share: as large as the largest needs.
class Arena {
 public:
  void reserve(size_t bytes) {
    if (!buffer_ || buffer_->bytes() < bytes) buffer_ = Buffer::allocate(bytes);
  }
  std::byte* data() const { return buffer_ ? buffer_->data() : nullptr; }
  size_t bytes() const { return buffer_ ? buffer_->bytes() : 0; }
  void release() { buffer_.reset(); }

 private:
  std::shared_ptr<Buffer> buffer_;
};

struct Instruction {
  TaskFn task;
  const void* args;
  int64_t units;
  int64_t grain;  // units of a chunk; 0: the caller's thread does all
};
void run_instruction(const Instruction& instruction);

// What profile and dump say of an instruction.
struct InstructionInfo {
  std::string name;
  int64_t cost = 0;   // units * unit_cost: about the flops, or what moving data is worth in flops
  int64_t bytes = 0;  // that its operands hold
  int64_t flops = 0;  // the cost, unless the lowering knows better
};

class Plan {
 public:
  // `inputs`, `outputs`: one pointer for each of the graph's; contiguous, of the graph's specs. Outputs do not overlap
  // inputs. Throws ValueError where an index was out of range (variables are then already updated).
  void run(const void* const* inputs, void* const* outputs);

  // The same in steps: addresses set once, then runs without any. For loops over batches.
  void prepare(const void* const* inputs, void* const* outputs);  // bind() and all addresses
  void set_input(int i, const void* data);
  void set_output(int i, void* data);
  void bind();  // arena and variables, where they moved; run() does it by itself
  void execute();
  // With work of the caller's own beside the last stage: `last` does what last_stage() does, and that.
  void execute(const Instruction& last);
  // The instructions of the last stage, cut in chunks for that; empty where nothing may run beside them.
  const std::vector<Instruction>& last_stage() const { return last_stage_; }

  // The memory that the variables have now, for whoever runs the plan while other threads may give them other memory.
  std::vector<std::shared_ptr<Buffer>> variable_memory() const;

  const std::vector<Spec>& input_specs() const { return input_specs_; }
  const std::vector<Spec>& output_specs() const { return output_specs_; }
  const std::vector<Instruction>& instructions() const { return instructions_; }
  const std::vector<InstructionInfo>& infos() const { return infos_; }
  const std::vector<int>& stage_of() const { return stage_of_; }  // by instruction; those of one stage run together
  size_t arena_bytes() const { return arena_bytes_; }
  int64_t cost() const { return cost_; }  // about the flops of a run
  std::string text() const;

 private:
  friend class Planner;
  friend class Placement;
  void check_indices();
  struct Patch {
    void** field;
    int64_t offset;
  };
  struct BoundVariable {
    std::shared_ptr<VariableState> state;
    std::byte* bound = nullptr;
    std::vector<Patch> patches;
  };
  struct IndexCheck {
    std::unique_ptr<int32_t> flag;
    std::string message;
  };

  std::vector<Instruction> instructions_;
  std::vector<InstructionInfo> infos_;
  std::vector<int> stage_of_;
  std::vector<Instruction> stages_;  // what runs: an instruction, or the chunks of several
  std::vector<Instruction> last_stage_;
  std::vector<std::shared_ptr<Buffer>> memory_;  // arguments and their tables
  std::vector<Array> constants_;
  std::vector<std::unique_ptr<SubPlan>> sub_plans_;
  std::vector<std::vector<Patch>> input_patches_, output_patches_;
  std::vector<Patch> arena_patches_;
  std::vector<BoundVariable> variables_;
  std::vector<IndexCheck> index_checks_;
  std::vector<Spec> input_specs_, output_specs_;
  std::shared_ptr<Arena> arena_;
  std::byte* arena_bound_ = nullptr;
  size_t arena_bytes_ = 0;
  int64_t cost_ = 0;
};

}  // namespace falconet
