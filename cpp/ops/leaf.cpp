// Leaves of a graph: what a run is fed, what was fixed when traced, what lives in variables.
#include "ops/rules.h"

namespace falconet {

const OpDef input_op = {.name = "input", .no_gradient = "a leaf", .is_leaf = true};
const OpDef constant_op = {.name = "constant", .no_gradient = "a leaf", .is_leaf = true};
const OpDef variable_op = {.name = "variable", .no_gradient = "a leaf", .is_leaf = true};

}  // namespace falconet
