// Cumulative sums, products and extrema along one axis (None: of x seen flat).
//
// What users call brings the dtype to one the kernels accumulate in and casts back; the primitives behind
// (`scan_sum`, ...) run from the last element to the first where `reverse`.
#include "ops/tools.h"

namespace falconet {

namespace {

template <ScanOp op>
void lower_scan(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const AxisView v = view_axis(x.shape, static_cast<int>(l.node().attr<int64_t>(0)));
  ScanArgs args;
  args.outer = v.outer;
  args.n = v.axis;
  args.inner = v.inner;
  args.reverse = l.node().attr<bool>(1);
  const int64_t columns = std::min(v.inner, kScanStrip);
  auto& a = l.emit<ScanArgs>(l.kernels.reduce.scan[static_cast<int>(op)][static_cast<int>(lane_of(x.dtype))],
                             scan_units(v.outer, v.inner), v.axis * columns * 2, args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out());
}

// forward: y_j = sum_{i <= j} x_i   so   dx_i = sum_{j >= i} dy_j
void sum_gradient(GradientContext& c) { c.set(0, c.e("scan_sum", {c.dy()}, {c.node.attrs[0], !c.node.attr<bool>(1)})); }

// forward: y_j = prod_{i <= j} x_i   so   dx_i = sum_{j >= i} dy_j y_j / x_i
// for every x_i before the first 0, at f. Behind it dx is 0; at it, y is taken without that factor.
void prod_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId x = c.x(), zero = e.scalar(0, x), one = e.scalar(1, x);
  const Attrs along = {c.node.attrs[0], c.node.attrs[1]}, against = {c.node.attrs[0], !c.node.attr<bool>(1)};
  const ValueId is_zero = e("equal", {x, zero});
  const ValueId zeros = e("scan_sum", {e.cast(is_zero, DType::int32)}, along);
  const ValueId before = e("equal", {zeros, e.scalar(0, zeros)});
  const ValueId first = e("logical_and", {is_zero, e("equal", {zeros, e.scalar(1, zeros)})});
  const ValueId others = e("scan_prod", {e.where(first, one, x)}, along);
  const ValueId sum_before = e("scan_sum", {e.mul(c.dy(), c.y())}, against);
  const ValueId sum_at = e("scan_sum", {e.mul(c.dy(), others)}, against);
  const ValueId quotient = e.div(sum_before, e.where(is_zero, one, x));
  c.set(0, e.where(first, sum_at, e.where(before, quotient, zero)));
}

// Each y_j is one x_i, the last to have reached the extremum by then, and sends its gradient there.
void extremum_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const int axis = static_cast<int>(c.node.attr<int64_t>(0));
  const bool reverse = c.node.attr<bool>(1);
  const Shape shape = e.shape(c.x());
  const ValueId place = iota_along(e, shape[axis], axis, shape.rank(), DType::int32);
  const ValueId nowhere = e.graph.add_scalar(DType::int32, reverse ? static_cast<double>(shape[axis] - 1) : 0);
  const ValueId reached = e.where(e("equal", {c.x(), c.y()}), place, nowhere);
  const ValueId from = e(reverse ? "scan_min" : "scan_max", {reached}, {c.node.attrs[0], reverse});
  c.set(0, e("gather_along_grad", {c.dy(), from}, {int64_t{axis}, shape[axis]}));
}

template <ScanOp op>
OpDef primitive(const char* name, GradientRule gradient) {
  OpDef d;
  d.name = name;
  d.inputs = {"x"};
  d.attrs = {{"axis", AttrKind::integer, {}, true}, {"reverse", AttrKind::boolean, false}};
  d.infer = [](InferContext& c) {
    need_kernel_dtype(c, 0);
    c.set_attr(0, int64_t{c.axis(0, c.in(0).shape.rank())});
    c.set_out(c.in(0).dtype, c.in(0).shape);
  };
  d.gradient = gradient;
  d.lower = lower_scan<op>;
  d.doc = "Primitive of the cumulative operation.";
  return d;
}

// bool counts as int32; every other dtype stays.
DType result_dtype(DType d) { return d == DType::boolean ? DType::int32 : d; }

std::vector<ValueId> compose_scan(Emitter& e, const Attrs& attrs, ValueId x, std::string_view primitive) {
  const DType result = result_dtype(e.dtype(x));
  x = e.cast(x, kernel_dtype(result));
  const int axis = flatten_or_axis(e, attrs[0], x);
  return {e.cast(e(primitive, {x}, {int64_t{axis}, attrs[1]}), result)};
}

OpDef composite(const char* name, ComposeRule compose,
                const char* doc) {
  OpDef d;
  d.name = name;
  d.inputs = {"x"};
  d.attrs = {{"axis", AttrKind::integer}, {"reverse", AttrKind::boolean, false}};
  d.infer = [](InferContext& c) {
    const Shape& x = c.in(0).shape;
    const bool flat = optional_axis(c, 0, x.rank()) < 0;
    c.set_out(result_dtype(c.in(0).dtype), flat ? Shape{x.size()} : x);
  };
  d.compose = compose;
  d.doc = doc;
  return d;
}

}  // namespace

const OpDef scan_sum_op = primitive<ScanOp::sum>("scan_sum", sum_gradient);
const OpDef scan_prod_op = primitive<ScanOp::prod>("scan_prod", prod_gradient);
const OpDef scan_max_op = primitive<ScanOp::max>("scan_max", extremum_gradient);
const OpDef scan_min_op = primitive<ScanOp::min>("scan_min", extremum_gradient);

const OpDef cumsum_op = composite(
    "cumsum",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_scan(e, a, x[0], "scan_sum"); },
    "The sum of all elements so far along `axis` (None: of x seen flat), from the end where `reverse`.");
const OpDef cumprod_op = composite(
    "cumprod",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_scan(e, a, x[0], "scan_prod"); },
    "The product of all elements so far along `axis` (None: of x seen flat), from the end where `reverse`.");
const OpDef cummax_op = composite(
    "cummax",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_scan(e, a, x[0], "scan_max"); },
    "The largest element so far along `axis` (None: of x seen flat), from the end where `reverse`.");
const OpDef cummin_op = composite(
    "cummin",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_scan(e, a, x[0], "scan_min"); },
    "The smallest element so far along `axis` (None: of x seen flat), from the end where `reverse`.");

}  // namespace falconet
