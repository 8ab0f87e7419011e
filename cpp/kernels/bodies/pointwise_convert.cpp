// Between memory and lanes, and between classes of lanes. The plain loops are ones that compilers vectorise.
#include <math.h>

#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {
namespace {

template <Lane l>
struct LaneType {
  using Type = int32_t;  // i32 and mask
};
template <>
struct LaneType<Lane::f32> {
  using Type = float;
};
template <>
struct LaneType<Lane::f64> {
  using Type = double;
};
template <>
struct LaneType<Lane::i64> {
  using Type = int64_t;
};
template <>
struct LaneType<Lane::u64> {
  using Type = uint64_t;
};

template <DType d>
struct Stored {
  using Type = typename LaneType<lane_of(d)>::Type;
};
template <>
struct Stored<DType::boolean> {
  using Type = uint8_t;
};
template <>
struct Stored<DType::uint8> {
  using Type = uint8_t;
};
template <>
struct Stored<DType::int8> {
  using Type = int8_t;
};
template <>
struct Stored<DType::uint16> {
  using Type = uint16_t;
};
template <>
struct Stored<DType::int16> {
  using Type = int16_t;
};
template <>
struct Stored<DType::uint32> {
  using Type = uint32_t;
};
template <>
struct Stored<DType::float16> {
  using Type = uint16_t;
};
template <>
struct Stored<DType::bfloat16> {
  using Type = uint16_t;
};

// The two 16-bit floats, as bits in 32-bit lanes.
template <DType d>
FALCONET_INLINE VecF from_16(VecI x) {
  if constexpr (d == DType::float16) return half_to_float(x);
  return as_float(shift_left<16>(x));
}
// bfloat16: half of the last place is added, ties to even; a NaN keeps its upper payload and becomes quiet.
template <DType d>
FALCONET_INLINE VecI to_16(VecF x) {
  if constexpr (d == DType::float16) return float_to_half(x);
  const VecI i = bits(x), upper = shift_right_logical<16>(i);
  const VecI rounded = shift_right_logical<16>(i + VecI::broadcast(0x7FFF) + (upper & VecI::broadcast(1)));
  return select(x != x, upper | VecI::broadcast(0x40), rounded);
}
template <DType d>
inline constexpr bool kIs16 = d == DType::float16 || d == DType::bfloat16;

// 2^bits of an integer type's largest value plus one, as a float.
template <class F, class I>
FALCONET_INLINE I truncated(F x) {
  constexpr bool is_signed = I(-1) < I(0);
  constexpr F half = F(uint64_t{1} << (8 * sizeof(I) - 1)), end = is_signed ? half : 2 * half;
  constexpr I most = static_cast<I>(is_signed ? (uint64_t{1} << (8 * sizeof(I) - 1)) - 1 : ~uint64_t{0});
  constexpr I least = is_signed ? static_cast<I>(-most - 1) : 0;
  if (x >= end) return most;
  if (x <= (is_signed ? -half : F(0))) return least;
  return x == x ? static_cast<I>(x) : 0;
}

template <Lane to, Lane from>
FALCONET_INLINE typename LaneType<to>::Type converted(typename LaneType<from>::Type x) {
  using To = typename LaneType<to>::Type;
  constexpr bool from_float = from == Lane::f32 || from == Lane::f64, to_float = to == Lane::f32 || to == Lane::f64;
  if constexpr (to == from) {
    return x;
  } else if constexpr (to == Lane::mask) {
    return -static_cast<int32_t>(x != 0);
  } else if constexpr (from == Lane::mask) {
    return static_cast<To>(x & 1);
  } else if constexpr (from_float && !to_float) {
    return truncated<typename LaneType<from>::Type, To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace

template <DType d>
void load_lanes_of(void* y, const void* a, const void*, const void*, int64_t n, int64_t) {
  using S = typename Stored<d>::Type;
  using T = typename LaneType<lane_of(d)>::Type;
  const S* x = static_cast<const S*>(a);
  T* out = static_cast<T*>(y);
  if constexpr (kIs16<d>) {
    int64_t i = 0;
    for (; i + VecF::width <= n; i += VecF::width) from_16<d>(load_u16(x + i)).store(out + i);
    if (i == n) return;
    S rest[VecF::width] = {};
    memcpy(rest, x + i, (n - i) * sizeof(S));
    from_16<d>(load_u16(rest)).store_partial(out + i, static_cast<int>(n - i));
  } else if constexpr (d == DType::boolean) {
    for (int64_t i = 0; i < n; ++i) out[i] = -static_cast<T>(x[i] != 0);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(x[i]);
  }
}

template <DType d>
void store_lanes_of(void* y, const void* a, const void*, const void*, int64_t n, int64_t) {
  using S = typename Stored<d>::Type;
  using T = typename LaneType<lane_of(d)>::Type;
  const T* x = static_cast<const T*>(a);
  S* out = static_cast<S*>(y);
  if constexpr (kIs16<d>) {
    int64_t i = 0;
    for (; i + VecF::width <= n; i += VecF::width) store_u16(out + i, to_16<d>(VecF::load(x + i)));
    if (i == n) return;
    S rest[VecF::width];
    store_u16(rest, to_16<d>(VecF::load_partial(x + i, static_cast<int>(n - i))));
    memcpy(out + i, rest, (n - i) * sizeof(S));
  } else if constexpr (d == DType::boolean) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<S>(x[i] & 1);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<S>(x[i]);
  }
}

template <DType d>
void narrow_lanes_of(void* y, const void* a, const void*, const void*, int64_t n, int64_t) {
  using S = typename Stored<d>::Type;
  using T = typename LaneType<lane_of(d)>::Type;
  const T* x = static_cast<const T*>(a);
  T* out = static_cast<T*>(y);
  if constexpr (kIs16<d>) {
    for (int64_t i = 0; i < n; i += VecF::width) {
      store_some(from_16<d>(to_16<d>(load_some(x + i, n - i))), out + i, n - i);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(static_cast<S>(x[i]));
  }
}

template <Lane to, Lane from>
void convert_lanes(void* y, const void* a, const void*, const void*, int64_t n, int64_t) {
  using To = typename LaneType<to>::Type;
  using From = typename LaneType<from>::Type;
  const From* x = static_cast<const From*>(a);
  To* out = static_cast<To*>(y);
  if constexpr (to == Lane::i32 && from == Lane::f32) {
    const VecF end = VecF::broadcast(2147483648.0f);
    for (int64_t i = 0; i < n; i += VecF::width) {
      const VecF v = load_some(x + i, n - i);
      VecI r = to_int(select(abs(v) < end, v, VecF::zero()));
      r = select(v >= end, VecI::broadcast(INT32_MAX), select(v <= -end, VecI::broadcast(INT32_MIN), r));
      store_some(r, out + i, n - i);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = converted<to, from>(x[i]);
  }
}

template <class T>
void fill_lanes(void* y, const void* a, const void*, const void*, int64_t n, int64_t) {
  const T x = *static_cast<const T*>(a);
  T* out = static_cast<T*>(y);
  for (int64_t i = 0; i < n; ++i) out[i] = x;
}

#define FALCONET_ARGS (void*, const void*, const void*, const void*, int64_t, int64_t)
#define FALCONET_STORAGE(d)                            \
  template void load_lanes_of<DType::d> FALCONET_ARGS; \
  template void store_lanes_of<DType::d> FALCONET_ARGS;
#define FALCONET_NARROW(d) \
  FALCONET_STORAGE(d)      \
  template void narrow_lanes_of<DType::d> FALCONET_ARGS;
#define FALCONET_CONVERT(to)                                      \
  template void convert_lanes<Lane::to, Lane::f32> FALCONET_ARGS; \
  template void convert_lanes<Lane::to, Lane::f64> FALCONET_ARGS; \
  template void convert_lanes<Lane::to, Lane::i32> FALCONET_ARGS; \
  template void convert_lanes<Lane::to, Lane::i64> FALCONET_ARGS; \
  template void convert_lanes<Lane::to, Lane::u64> FALCONET_ARGS; \
  template void convert_lanes<Lane::to, Lane::mask> FALCONET_ARGS;

FALCONET_STORAGE(boolean)
FALCONET_NARROW(uint8)
FALCONET_NARROW(int8)
FALCONET_NARROW(uint16)
FALCONET_NARROW(int16)
FALCONET_NARROW(uint32)
FALCONET_STORAGE(int32)
FALCONET_STORAGE(uint64)
FALCONET_STORAGE(int64)
FALCONET_NARROW(float16)
FALCONET_NARROW(bfloat16)
FALCONET_STORAGE(float32)
FALCONET_STORAGE(float64)
FALCONET_CONVERT(f32)
FALCONET_CONVERT(f64)
FALCONET_CONVERT(i32)
FALCONET_CONVERT(i64)
FALCONET_CONVERT(u64)
FALCONET_CONVERT(mask)
template void fill_lanes<int32_t> FALCONET_ARGS;
template void fill_lanes<int64_t> FALCONET_ARGS;

}  // namespace falconet::FALCONET_ISA
