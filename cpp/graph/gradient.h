// Gradients as graph rewriting: reverse accumulation over nodes, by rules that emit nodes.
#pragma once

#include "graph/emit.h"

namespace falconet {

// What a gradient rule sees: the forward node, the gradients of its outputs, and an emitter.
class GradientContext {
 public:
  GradientContext(Emitter& e, const Node& node, std::vector<ValueId> dy) : e(e), node(node), dy_(std::move(dy)) {
    dx_.assign(node.inputs.size(), kNoValue);
  }
  Emitter& e;
  const Node node;  // a copy: emitting moves the graph's own

  ValueId x(int i = 0) const { return node.inputs[i]; }
  ValueId y(int i = 0) const { return node.output(i); }
  bool has_dy(int i) const { return dy_[i] != kNoValue; }
  ValueId dy(int i = 0);  // zeros where nothing depends on that output
  // The gradient of input i, in the shape of x(i) or broadcast from it (it is summed back) and x(i)'s dtype.
  void set(int i, ValueId gradient) { dx_[i] = gradient; }
  bool wants(int i) const { return needed_.empty() || needed_[i]; }

  std::vector<ValueId>& results() { return dx_; }
  std::vector<bool> needed_;  // inputs that lead to a source

 private:
  std::vector<ValueId> dy_, dx_;
};

// d(sum_i <ys[i], dys[i]>) / dx for each x of xs; kNoValue where ys do not depend on it. dys[i] == kNoValue means ones.
// Throws ValueError where a path runs through an op without a gradient rule that carries floating-point values.
std::vector<ValueId> gradients(Emitter& e, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs,
                               std::vector<ValueId> dys);

}  // namespace falconet
