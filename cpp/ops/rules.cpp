#include "ops/rules.h"

namespace falconet {

namespace {

Shape broadcast_inputs(InferContext& c) {
  Shape shape = c.in(0).shape;
  for (int i = 1; i < c.num_inputs(); ++i) {
    const Shape& other = c.in(i).shape;
    bool fits = true;
    for (int k = 1; k <= std::min(shape.rank(), other.rank()); ++k) {
      const int64_t p = shape[-k], q = other[-k];
      fits &= p == q || p == 1 || q == 1;
    }
    c.check(fits, "shapes ", c.in(0).shape, " and ", other, " cannot be broadcast together; from the last axis backwards, "
            "sizes must be equal or 1");
    shape = broadcast_shapes(shape, other);
  }
  return shape;
}

}  // namespace

void infer_broadcast(InferContext& c) { c.set_out(c.in(c.num_inputs() - 1).dtype, broadcast_inputs(c)); }

void infer_compare(InferContext& c) { c.set_out(DType::boolean, broadcast_inputs(c)); }

AxisView view_axis(const Shape& shape, int axis) {
  AxisView v;
  for (int d = 0; d < shape.rank(); ++d) (d < axis ? v.outer : d == axis ? v.axis : v.inner) *= shape[d];
  return v;
}

}  // namespace falconet
