#include "graph/promote.h"

namespace falconet {

namespace {

// Keras (as JAX) orders dtypes in a lattice; what two dtypes have in common is their lowest common bound. Signed and
// unsigned integers meet at the next wider signed type, 64-bit ones at float32; float16 and bfloat16 meet at float32.
int width(DType d) { return static_cast<int>(size_of(d)); }

DType signed_of_width(int bytes) {
  switch (bytes) {
    case 1: return DType::int8;
    case 2: return DType::int16;
    case 4: return DType::int32;
    case 8: return DType::int64;
    default: return DType::float32;
  }
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b || b == DType::boolean) return a;
  if (a == DType::boolean) return b;
  if (is_float(a) != is_float(b)) return is_float(a) ? a : b;
  if (is_float(a)) return width(a) == width(b) ? DType::float32 : width(a) > width(b) ? a : b;
  if (info(a).is_signed == info(b).is_signed) return width(a) > width(b) ? a : b;
  const DType s = info(a).is_signed ? a : b, u = info(a).is_signed ? b : a;
  return width(s) > width(u) ? s : signed_of_width(2 * width(u));
}

DType operand_dtype(const OpDef& op, const DType* dtypes, int count) {
  if (op.promote == Promote::logical) return DType::boolean;
  DType common = dtypes[0];
  for (int i = 1; i < count; ++i) common = promote(common, dtypes[i]);
  if (op.promote == Promote::floating && !is_float(common)) common = DType::float32;
  if (op.promote == Promote::numeric && common == DType::boolean) common = DType::int32;
  return common;
}

}  // namespace falconet
