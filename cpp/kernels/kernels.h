// The kernels of one instruction set, and the choice of one set for this process.
//
// Bodies (*_body.h and the .cpp files in isa/) are compiled once per ISA into namespace falconet::<isa>; each family
// exports one constant table. Nothing above this folder knows ISAs.
#pragma once

#include <string>
#include <vector>

#include "kernels/gemm.h"
#include "kernels/move.h"
#include "kernels/pointwise.h"
#include "kernels/reduce.h"
#include "kernels/rows.h"
#include "kernels/sort.h"

namespace falconet {

struct Kernels {
  const char* isa;  // "portable", "avx2", "avx512", "neon"
  const PointwiseKernels& pointwise;
  const GemmKernels& gemm;
  const ReduceKernels& reduce;
  const RowKernels& rows;
  const MoveKernels& move;
  const SortKernels& sort;
};

// Chosen at first use: the widest the machine runs, or FALCONET_ISA. Throws ValueError, listing what is available,
// where FALCONET_ISA names an ISA that is unknown or not supported here.
const Kernels& kernels();
// Every ISA of this build that this machine runs, widest first.
const std::vector<const Kernels*>& available_kernels();
// Switches the process (tests). Plans made before keep the kernels they resolved.
void use_isa(const std::string& name);

}  // namespace falconet
