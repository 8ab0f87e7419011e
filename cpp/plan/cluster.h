// Which nodes run together, and in what order.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace falconet {

// A group of nodes that becomes one piece of the plan: a single node, or pointwise nodes that share a tile program.
struct Group {
  std::vector<int> nodes;  // ascending
  bool pointwise = false;
  int64_t size = 0;        // elements of a pointwise group's domain
};

// The groups of the nodes marked live, in an order of execution. `root` gives for each value the value whose memory it
// is (itself, unless a view).
std::vector<Group> make_groups(const Graph& graph, const std::vector<bool>& live, const std::vector<ValueId>& root);

}  // namespace falconet
