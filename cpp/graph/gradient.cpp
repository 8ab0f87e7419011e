#include "graph/gradient.h"

#include <algorithm>

namespace falconet {

ValueId GradientContext::dy(int i) {
  if (dy_[i] == kNoValue) dy_[i] = e.zeros_like(y(i));
  return dy_[i];
}

namespace {

// Values that xs lead to, and nodes on a path from xs to ys.
struct Reach {
  std::vector<bool> from_x, node;
};

Reach reach(const Graph& g, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs) {
  Reach r;
  r.from_x.assign(g.num_values(), false);
  for (ValueId x : xs) r.from_x[x] = true;
  const int num_nodes = static_cast<int>(g.nodes().size());
  for (int i = 0; i < num_nodes; ++i) {
    const Node& n = g.node(i);
    const bool any = std::any_of(n.inputs.begin(), n.inputs.end(), [&](ValueId v) { return r.from_x[v]; });
    for (int o = 0; any && o < n.num_outputs; ++o) {
      if (is_float(g.spec(n.output(o)).dtype)) r.from_x[n.output(o)] = true;
    }
  }
  std::vector<bool> to_y(g.num_values(), false);
  for (ValueId y : ys) to_y[y] = true;
  r.node.assign(num_nodes, false);
  for (int i = num_nodes - 1; i >= 0; --i) {
    const Node& n = g.node(i);
    bool on_path = false;
    for (int o = 0; o < n.num_outputs; ++o) on_path |= to_y[n.output(o)] && r.from_x[n.output(o)];
    if (!on_path) continue;
    r.node[i] = true;
    for (ValueId v : n.inputs) to_y[v] = true;
  }
  return r;
}

}  // namespace

std::vector<ValueId> gradients(Emitter& e, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs,
                               std::vector<ValueId> dys) {
  const Graph& g = e.graph;
  const Reach r = reach(g, ys, xs);
  std::vector<ValueId> grad(g.num_values(), kNoValue);
  const auto accumulate = [&](ValueId v, ValueId d) { grad[v] = grad[v] == kNoValue ? d : e.add(grad[v], d); };
  dys.resize(ys.size(), kNoValue);
  for (size_t i = 0; i < ys.size(); ++i) {
    if (!is_float(g.spec(ys[i]).dtype)) {
      fail<TypeError>("[gradient] the target is ", g.spec(ys[i]), "; only floating-point values have gradients");
    }
    accumulate(ys[i], dys[i] == kNoValue ? e.ones_like(ys[i]) : dys[i]);
  }
  for (int i = static_cast<int>(r.node.size()) - 1; i >= 0; --i) {
    if (!r.node[i]) continue;
    const Node& n = g.node(i);
    if (n.op->is_leaf) continue;
    std::vector<ValueId> dy(n.num_outputs, kNoValue);
    bool any = false;
    for (int o = 0; o < n.num_outputs; ++o) any |= (dy[o] = grad[n.output(o)]) != kNoValue;
    if (!any) continue;
    if (!n.op->gradient) {
      if (n.op->no_gradient) continue;
      fail("[", n.op->name, "] has no gradient rule, and the target depends on a source through it");
    }
    GradientContext c(e, n, std::move(dy));
    for (ValueId v : n.inputs) c.needed_.push_back(r.from_x[v]);
    n.op->gradient(c);  // `n` may dangle from here on: emitting grows the graph
    for (size_t k = 0; k < c.node.inputs.size(); ++k) {
      const ValueId d = c.results()[k], x = c.node.inputs[k];
      if (d == kNoValue || !r.from_x[x]) continue;
      accumulate(x, e.sum_to(e.cast(d, e.dtype(x)), e.shape(x)));
    }
  }
  std::vector<ValueId> result;
  for (ValueId x : xs) result.push_back(grad[x]);
  return result;
}

}  // namespace falconet
