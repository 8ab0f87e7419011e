// Micro-operations of float32 that are trigonometric functions and their inverses.
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
struct Op<Micro::tan, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::tan(x); }
};
template <>
struct Op<Micro::asin, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::asin(x); }
};
template <>
struct Op<Micro::acos, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::acos(x); }
};
template <>
struct Op<Micro::atan, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::atan(x); }
};
template <>
struct Op<Micro::atan2, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD y, VecD x) { return wide::atan2(y, x); }
};

FALCONET_MICRO(sin, float)
FALCONET_MICRO(cos, float)
FALCONET_MICRO(tan, float)
FALCONET_MICRO(asin, float)
FALCONET_MICRO(acos, float)
FALCONET_MICRO(atan, float)
FALCONET_MICRO(atan2, float)

}  // namespace falconet::FALCONET_ISA
