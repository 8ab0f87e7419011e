// Passes that make a graph smaller without changing a bit of what it computes.
#pragma once

#include "graph/graph.h"

namespace falconet {

// A copy of the graph without dead nodes and repetitions; casts and reshapes to what a value already is fall away, and
// transpositions of matrices become flags of the products that read them. `keep_outputs` false: only what updates need.
std::unique_ptr<Graph> simplify(const Graph& graph, bool keep_outputs);

}  // namespace falconet
