// A tape: ops computed at once and recorded, so that gradients can be asked for afterwards.
//
// A tape's graph holds primitive ops; each value has been computed when its node is added. Gradient rules emit into the
// same graph, so they are computed as they are written, by whatever lies below: another tape (which records them, giving
// gradients of gradients) or the eager ops themselves.
#pragma once

#include <functional>
#include <unordered_map>

#include "graph/gradient.h"
#include "plan/eager.h"

namespace falconet {

using Evaluate = std::function<std::vector<Concrete>(const OpDef&, const Attrs&, const std::vector<Concrete>&)>;

class Tape : public Emitter {
 public:
  // `below` computes a primitive op.
  explicit Tape(Evaluate below) : Emitter(graph_), below_(std::move(below)) {}

  bool watches_variables = true;  // trainable ones, as ops read them
  void watch(const Concrete& array) { known(array); }
  bool watches(const Concrete& array) const { return values_.count(array.id) != 0; }

  // Computes an op on arrays and notes it.
  std::vector<Concrete> compute(const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs);
  // Between the tape's values and arrays.
  ValueId known(const Concrete& array);
  const Concrete& computed(ValueId v);

  // One gradient for each source; those the target does not depend on have a null buffer. The tape goes on recording
  // nothing of this itself. target_gradients: empty, or one per target.
  std::vector<Concrete> gradient(const std::vector<Concrete>& targets, const std::vector<Concrete>& sources,
                                 const std::vector<Concrete>& target_gradients);

 private:
  void catch_up();
  ValueId record(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) override;

  Graph graph_;
  Evaluate below_;
  std::unordered_map<uint64_t, ValueId> values_;
  std::vector<Concrete> computed_;  // by value
};

}  // namespace falconet
