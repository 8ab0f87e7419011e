#include "plan/values.h"

#include <numeric>

namespace falconet {

namespace {

std::vector<bool> find_live(const Graph& graph) {
  std::vector<bool> live(graph.nodes().size(), false);
  std::vector<ValueId> stack = graph.outputs;
  for (const auto& u : graph.updates) stack.push_back(u.value);
  while (!stack.empty()) {
    const int i = graph.values()[stack.back()].node;
    stack.pop_back();
    if (live[i]) continue;
    live[i] = true;
    for (ValueId v : graph.node(i).inputs) stack.push_back(v);
  }
  return live;
}

}  // namespace

Values find_values(const Graph& graph) {
  Values v{find_live(graph), std::vector<ValueId>(graph.num_values()), std::vector<int64_t>(graph.num_values(), 0)};
  std::iota(v.root.begin(), v.root.end(), 0);
  for (const Node& n : graph.nodes()) {
    if (!n.op->view) continue;
    const int64_t at = n.op->view(graph, n);
    if (at < 0) continue;
    v.root[n.output()] = v.root[n.inputs[0]];
    v.offset[n.output()] = v.offset[n.inputs[0]] + at;
  }
  return v;
}

}  // namespace falconet
