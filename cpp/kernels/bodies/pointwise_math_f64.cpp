// Micro-operations of float64 that are functions with vector formulas of their own.
#include "kernels/bodies/math_f64.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <>
struct Op<Micro::sigmoid, double> : ByVector {
  static FALCONET_INLINE VecD f(VecD x) { return f64::sigmoid(x); }
};
template <>
struct Op<Micro::tanh, double> : ByVector {
  static FALCONET_INLINE VecD f(VecD x) { return f64::tanh(x); }
};

FALCONET_MICRO(sigmoid, double)
FALCONET_MICRO(tanh, double)

}  // namespace falconet::FALCONET_ISA
