// The one way ops are applied while a graph is recorded: by a trace, a gradient rule or a pass.
//
// An Emitter adds nodes with operands promoted to what the op needs, and offers the arithmetic gradient rules are
// written in. Values are ids of the graph.
#pragma once

#include <initializer_list>

#include "graph/graph.h"
#include "graph/promote.h"

namespace falconet {

class Emitter {
 public:
  explicit Emitter(Graph& graph) : graph(graph) {}
  virtual ~Emitter() = default;

  // Promotes, expands composites, then adds; returns the outputs.
  std::vector<ValueId> apply(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs);
  // The first output.
  ValueId operator()(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) {
    return apply(op, std::move(attrs), std::move(inputs))[0];
  }
  ValueId operator()(std::string_view name, std::vector<ValueId> inputs, Attrs attrs = {});

  // By value: emitting moves the graph's own.
  Spec spec(ValueId v) const { return graph.spec(v); }
  Shape shape(ValueId v) const { return graph.spec(v).shape; }
  DType dtype(ValueId v) const { return graph.spec(v).dtype; }

  ValueId add(ValueId a, ValueId b) { return (*this)("add", {a, b}); }
  ValueId sub(ValueId a, ValueId b) { return (*this)("subtract", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return (*this)("multiply", {a, b}); }
  ValueId div(ValueId a, ValueId b) { return (*this)("divide", {a, b}); }
  ValueId neg(ValueId a) { return (*this)("negative", {a}); }
  ValueId where(ValueId c, ValueId a, ValueId b) { return (*this)("where", {c, a, b}); }
  ValueId cast(ValueId a, DType dtype);
  ValueId reshape(ValueId a, const Shape& shape);
  ValueId transpose(ValueId a, const Ints& axes);
  ValueId broadcast_to(ValueId a, const Shape& shape);
  ValueId sum(ValueId a, const Ints& axes, bool keepdims);
  // Sums what broadcasting repeated, back to `shape`.
  ValueId sum_to(ValueId a, const Shape& shape);
  // A constant of like's dtype, shape ().
  ValueId scalar(double value, ValueId like) { return graph.add_scalar(dtype(like), value); }
  ValueId zeros_like(ValueId a) { return broadcast_to(scalar(0, a), shape(a)); }
  ValueId ones_like(ValueId a) { return broadcast_to(scalar(1, a), shape(a)); }

  Graph& graph;

 protected:
  // What adds a node; the eager tape also computes it.
  virtual ValueId record(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) {
    return graph.add(op, std::move(attrs), std::move(inputs));
  }
};

}  // namespace falconet
