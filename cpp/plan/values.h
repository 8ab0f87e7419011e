// What of a graph a plan computes, and whose memory each value is.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace falconet {

struct Values {
  std::vector<bool> live;        // by node: an output or update depends on it
  std::vector<ValueId> root;     // by value: whose memory it is; itself, unless a view
  std::vector<int64_t> offset;   // by value: bytes into the root's memory
};

Values find_values(const Graph& graph);

}  // namespace falconet
