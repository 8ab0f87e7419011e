// Micro-operations of float32 that are trigonometric functions.
#include "kernels/bodies/math_wide.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <>
struct Op<Micro::sin, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return wide::sin(x); }
};
template <>
struct Op<Micro::cos, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return wide::cos(x); }
};
template <>
struct Op<Micro::tan, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return wide::tan(x); }
};

FALCONET_MICRO(sin, float)
FALCONET_MICRO(cos, float)
FALCONET_MICRO(tan, float)

}  // namespace falconet::FALCONET_ISA
