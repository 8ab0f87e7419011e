// Micro-operations of arithmetic that are a few instructions on a register. The semantics of each row are in
// pointwise.inc.
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <class T>
struct Op<Micro::copy, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return a; }
};
template <class T>
struct Op<Micro::add, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a + b; }
};
template <class T>
struct Op<Micro::sub, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a - b; }
};
template <class T>
struct Op<Micro::mul, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a * b; }
};
template <class T>
struct Op<Micro::div, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a / b; }
};
template <class T>
struct Op<Micro::muladd, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return a * b + c; }
};
template <class T>
struct Op<Micro::mulsub, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return a * b - c; }
};
template <class T>
struct Op<Micro::submul, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return c - a * b; }
};
template <class T>
struct Op<Micro::addmul, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return (a + b) * c; }
};
template <class T>
struct Op<Micro::subsquare, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) {
    const Vec<T> d = a - b;
    return d * d;
  }
};
template <class T>
struct Op<Micro::lerp, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return a + (b - a) * c; }
};
template <class T>
struct Op<Micro::lerp_square, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return a + (b * b - a) * c; }
};
template <class T>
struct Op<Micro::sqrtadd, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return sqrt(a) + b; }
};
template <class T>
struct Op<Micro::muldiv, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b, Vec<T> c) { return a * b / c; }
};
template <class T>
struct Op<Micro::gate, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return select(b > Vec<T>::zero(), a, Vec<T>::zero()); }
};
template <class T>
struct Op<Micro::neg, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return -a; }
};
template <class T>
struct Op<Micro::abs, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return abs(a); }
};
template <class T>
struct Op<Micro::square, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return a * a; }
};
// Adding a to the zero of the last case hands NaN on and makes +0 of -0.
template <class T>
struct Op<Micro::sign, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) {
    const Vec<T> zero = Vec<T>::zero(), one = Vec<T>::broadcast(1);
    return select(a > zero, one, select(a < zero, -one, a + zero));
  }
};
// min and max give their second operand where either is NaN; that is not enough where only the first is.
template <class T>
struct Op<Micro::minimum, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) {
    if constexpr (T(0.5) == T(0)) return min(a, b);
    return select(a != a, a, min(a, b));
  }
};
template <class T>
struct Op<Micro::maximum, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) {
    if constexpr (T(0.5) == T(0)) return max(a, b);
    return select(a != a, a, max(a, b));
  }
};
template <class T>
struct Op<Micro::fmin, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return select(a != a, b, min(b, a)); }
};
template <class T>
struct Op<Micro::fmax, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return select(a != a, b, max(b, a)); }
};
template <class T>
struct Op<Micro::sqrt, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return sqrt(a); }
};
template <class T>
struct Op<Micro::rsqrt, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return Vec<T>::broadcast(1) / sqrt(a); }
};
template <class T>
struct Op<Micro::reciprocal, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return Vec<T>::broadcast(1) / a; }
};
template <class T>
struct Op<Micro::floor, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return floor(a); }
};
template <class T>
struct Op<Micro::ceil, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return ceil(a); }
};
template <class T>
struct Op<Micro::round, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return round(a); }
};
template <class T>
struct Op<Micro::trunc, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return trunc(a); }
};
template <class T>
struct Op<Micro::copysign, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return abs(a) | (b & Vec<T>::broadcast(T(-0.0))); }
};

FALCONET_MICRO_FS(copy)
FALCONET_MICRO_FS(add)
FALCONET_MICRO_FS(sub)
FALCONET_MICRO_FS(mul)
FALCONET_MICRO_F(div)
FALCONET_MICRO_FS(muladd)
FALCONET_MICRO_FS(mulsub)
FALCONET_MICRO_FS(submul)
FALCONET_MICRO_FS(addmul)
FALCONET_MICRO_FS(subsquare)
FALCONET_MICRO_F(lerp)
FALCONET_MICRO_F(lerp_square)
FALCONET_MICRO_F(sqrtadd)
FALCONET_MICRO_F(muldiv)
FALCONET_MICRO_F(gate)
FALCONET_MICRO_FS(neg)
FALCONET_MICRO_FS(abs)
FALCONET_MICRO_FS(square)
FALCONET_MICRO_FS(sign)
FALCONET_MICRO_FS(minimum)
FALCONET_MICRO_FS(maximum)
FALCONET_MICRO_F(fmin)
FALCONET_MICRO_F(fmax)
FALCONET_MICRO_F(sqrt)
FALCONET_MICRO_F(rsqrt)
FALCONET_MICRO_F(reciprocal)
FALCONET_MICRO_F(floor)
FALCONET_MICRO_F(ceil)
FALCONET_MICRO_F(round)
FALCONET_MICRO_F(trunc)
FALCONET_MICRO_F(copysign)

}  // namespace falconet::FALCONET_ISA
