// The floating-point mode of the calling thread: rounding direction and the treatment of denormals.
//
// The library leaves a host's mode alone. What runs kernels may hold a FlushDenormals for the time of the run, since
// arithmetic on denormals is up to a hundred times slower on many processors; pool::parallel_for hands its caller's
// mode to the workers, so that a region computes the same wherever its chunks run. Where the processor is none of
// x86-64 and arm64 the mode is left as it is.
#pragma once

#include <cstdint>

namespace falconet::fpu {

// The control bits that change results, and no others; equal modes compare equal.
using Mode = uint64_t;
Mode mode();
void set_mode(Mode mode);

// While alive, operands and results below the normal range count as zero on this thread. The destructor puts back the
// whole control and status word, sticky flags included: around a run, the caller's state does not change by one bit.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace falconet::fpu
