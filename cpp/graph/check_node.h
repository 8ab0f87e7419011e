// Checks on nodes that did not come out of an Emitter but out of a file: what recording guarantees has to be seen
// there.
#pragma once

#include "graph/graph.h"

namespace falconet {

// No value is larger, so that sums and products of sizes in bytes never leave 64 bits.
inline constexpr int64_t kMaxValueBytes = int64_t{1} << 46;

// ValueError where a size is negative or the elements have more than `limit` bytes. `what` names the value's maker.
void check_size(const Spec& spec, const char* what, int64_t limit);

// Number of operands, kinds of attributes, and for ops whose operands are promoted, that they agree in dtype. Throws
// ValueError or TypeError; the op's own shape rule is run by Graph::add.
void check_node(const OpDef& op, const Attrs& attrs, const std::vector<Spec>& inputs);

}  // namespace falconet
