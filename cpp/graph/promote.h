// The dtype that operands of different dtypes are brought to.
#pragma once

#include "graph/op.h"

namespace falconet {

// Keras's dtype lattice: the common dtype of two strongly typed operands.
DType promote(DType a, DType b);
// The dtype that operands of an op are brought to; none where each keeps its own.
DType operand_dtype(const OpDef& op, const DType* dtypes, int count);

}  // namespace falconet
