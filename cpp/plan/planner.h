// Turns a graph into a plan: groups, programs, instructions, memory.
#pragma once

#include <memory>

#include "plan/plan.h"

namespace falconet {

// Packed forms of matrices that stay the same from run to run: the weights of a model that is served. Whoever owns the
// plan keeps them, so that many plans share one. A form is memory of a VariableState, which the plan binds like any
// other variable: its owner may move it between runs.
class Packing {
 public:
  virtual ~Packing() = default;
  // What GemmKernels::pack_b makes of the matrix `form` describes (its pointers are not set), which lies `offset` bytes
  // into the variable's memory, or into `constant` where `variable` is null. Null: there is no packed form.
  virtual std::shared_ptr<VariableState> packed(const VariableState* variable, const Array& constant, int64_t offset,
                                                const PackBArgs& form) = 0;
};

struct PlanOptions {
  int threads = 0;             // that a run may use at most, the caller's included; 0: all of the pool
  Packing* packing = nullptr;  // null: products pack what they need in each run
};

// `arena`: where activations live; shared by plans that never run at the same time.
std::unique_ptr<Plan> make_plan(const Graph& graph, std::shared_ptr<Arena> arena, const PlanOptions& options = {});

// Units of a chunk for work of about `flops` on `bytes`, cut in `units` pieces, or 0 where it should stay in the caller's
// thread: handing work over costs a microsecond while a worker spins and some six where it has to be woken.
int64_t parallel_grain(int64_t units, int64_t flops, int64_t bytes, int threads);

}  // namespace falconet
