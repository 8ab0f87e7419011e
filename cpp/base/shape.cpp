#include "base/shape.h"

namespace falconet {

std::string Shape::text() const {
  std::string text = "(";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(dims_[i]);
  return text + (rank_ == 1 ? ",)" : ")");
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.text(); }

std::ostream& operator<<(std::ostream& out, const Spec& spec) {
  return out << name_of(spec.dtype) << spec.shape;
}

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int lead = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const int64_t p = longer[lead + i], q = shorter[i];
    if (p != q && p != 1 && q != 1) fail("shapes ", a, " and ", b, " cannot be broadcast together");
    out[lead + i] = p == 1 ? q : p;
  }
  return out;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

int normalize_axis(int64_t axis, int rank, const char* what) {
  if (axis < -rank || axis >= rank) {
    fail("`", what, "` is ", axis, "; the input has ", rank, rank == 1 ? " axis" : " axes");
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace falconet
