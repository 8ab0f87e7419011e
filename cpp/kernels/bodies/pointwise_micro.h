// The functions behind the table of micro-operations: one instance per row of pointwise.inc and class of lanes, made in
// the pointwise_*.cpp file of its family and gathered in pointwise.cpp.
#pragma once

#include <stdint.h>

#include "kernels/pointwise.h"

namespace falconet::FALCONET_ISA {

template <Micro m, class T>
void micro(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);

template <DType d>
void load_lanes_of(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);
template <DType d>
void store_lanes_of(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);
template <DType d>
void narrow_lanes_of(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);
template <Lane to, Lane from>
void convert_lanes(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);
template <class T>
void fill_lanes(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t index);

// Whether the row gives other bits for unsigned lanes than for signed ones. Where it does not, uint64 runs the instance
// of int64_t; masks always run that of int32_t.
constexpr bool sign_matters(Micro m) {
  switch (m) {
    case Micro::floor_div:
    case Micro::mod:
    case Micro::fmod:
    case Micro::abs:
    case Micro::sign:
    case Micro::minimum:
    case Micro::maximum:
    case Micro::pow:
    case Micro::less:
    case Micro::less_equal:
    case Micro::shift_right:
      return true;
    default:
      return false;
  }
}

}  // namespace falconet::FALCONET_ISA
