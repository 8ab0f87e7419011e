// Micro-operations: the tight loops that tile programs are made of.
//
// A tile program computes on a few classes of lanes only; storage types are converted where a tile is loaded or stored:
//   bool -> mask;  int8, uint8, int16, uint16, int32 -> i32;  uint32, int64 -> i64;  uint64 -> u64;
//   float16, bfloat16, float32 -> f32;  float64 -> f64.
// After an operation on a narrower type the program wraps or rounds to that type (`narrow`), so that every value is
// what NumPy's operation on the narrow type gives.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace falconet {

enum class Lane : uint8_t { f32, f64, i32, i64, u64, mask };
inline constexpr int kNumLanes = 6;

constexpr Lane lane_of(DType d) {
  switch (d) {
    case DType::boolean:
      return Lane::mask;
    case DType::float64:
      return Lane::f64;
    case DType::float32:
    case DType::float16:
    case DType::bfloat16:
      return Lane::f32;
    case DType::int64:
    case DType::uint32:
      return Lane::i64;
    case DType::uint64:
      return Lane::u64;
    default:
      return Lane::i32;
  }
}
constexpr int64_t lane_bytes(Lane l) { return l == Lane::f64 || l == Lane::i64 || l == Lane::u64 ? 8 : 4; }
// True where memory of the dtype is already what a micro-operation reads and writes.
constexpr bool is_native(DType d) {
  return d == DType::float32 || d == DType::float64 || d == DType::int32 || d == DType::int64 || d == DType::uint64;
}

enum class Micro : uint8_t {
#define MICRO(name, operands, classes, result) name,
#include "kernels/pointwise.inc"
#undef MICRO
};
struct MicroInfo {
  const char* name;
  uint8_t operands;
  bool mask_result;
};
inline constexpr MicroInfo kMicros[] = {
#define same false
#define mask true
#define MICRO(name, operands, classes, result) {#name, operands, result},
#include "kernels/pointwise.inc"
#undef MICRO
#undef mask
#undef same
};
inline constexpr int kNumMicros = sizeof(kMicros) / sizeof(kMicros[0]);
constexpr const MicroInfo& info(Micro m) { return kMicros[static_cast<int>(m)]; }

// y[i] = f(a[i], b[i], c[i]) for i in [0, n). Pointers are aligned to their elements, no further; nothing outside [0,
// n) is read or written; operands that the row lacks may be null. y may be exactly one of those of a, b, c whose
// elements have the size of y's, and overlaps nothing otherwise. Element i depends on its operands (and its index)
// alone: not on n, nor on where a part begins. `index` is the number of element 0 in the whole array, for generators.
//
// Accuracy of the functions of pointwise.inc, over all arguments: float32 exp and log within 2 units in the last place,
// all others within 4; float64 within 4 too, but for lgamma and digamma, whose terms cancel (10). Measured by
// tests/cpp/pointwise_math_test.cpp. ISAs agree within these limits, and exactly in everything that rounds once.
using MicroFn = void (*)(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);

struct PointwiseKernels {
  MicroFn micro[kNumMicros][kNumLanes];  // null where the class has no such operation; compares: by operand class
  MicroFn load[kNumDTypes];              // memory of a dtype -> lanes of lane_of(dtype)
  MicroFn store[kNumDTypes];             // lanes -> memory; integers wrap, floats round to nearest even
  MicroFn narrow[kNumDTypes];            // lanes -> lanes, as store then load; null where nothing changes
  // lanes -> lanes of another class. Float to integer truncates; NaN and out of range give 0 or the nearest end. To
  // mask: x != 0. From mask: 0 or 1.
  MicroFn convert[kNumLanes][kNumLanes];  // [to][from]
  MicroFn fill32, fill64;                 // y[i] = a[0], for lanes of 4 and 8 bytes
};

}  // namespace falconet
