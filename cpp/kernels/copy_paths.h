// The ways a strided copy runs, shared by its plan and its kernel alone.
#pragma once

namespace falconet {

enum CopyPath : int {
  kCopyRuns,       // the innermost axis is contiguous on both sides
  kCopyTranspose,  // contiguous in y along the innermost axis, in x along the one before it
  kCopyStrided,
};

}  // namespace falconet
