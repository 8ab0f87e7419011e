// Order: sorting, the k largest, binary search, distinct elements.
//
// NaN comes last and sorting is stable, ascending or descending. What users call moves the axis last and casts to what
// the kernels sort (float32, float64, int32, int64); uint64 is shifted to int64, which keeps its order. Positions are
// int32. Gradients of sorted values go back to where the values came from.
#include "ops/tools.h"

namespace falconet {

namespace {

DType sort_dtype(DType d) { return d == DType::uint64 ? DType::int64 : kernel_dtype(d); }

// x - 2^63 for uint64 (its highest bit turned), so that signed order is unsigned order.
ValueId to_sortable(Emitter& e, ValueId x) {
  if (e.dtype(x) == DType::uint64) x = e("bitwise_xor", {x, e.graph.add_scalar(DType::uint64, 0x1p63)});
  return e.cast(x, sort_dtype(e.dtype(x)));
}
ValueId from_sortable(Emitter& e, ValueId x, DType dtype) {
  x = e.cast(x, dtype);
  return dtype == DType::uint64 ? e("bitwise_xor", {x, e.graph.add_scalar(DType::uint64, 0x1p63)}) : x;
}

void need_sort_dtype(InferContext& c, int input) {
  const DType d = c.in(input).dtype;
  if (sort_dtype(d) != d) c.refuse_type("input ", input, " must be float32, float64, int32 or int64, got ", name_of(d));
}

void check_row(InferContext& c) {
  c.check(c.in(0).shape.rank() >= 1, "x must have at least 1 axis, got a scalar");
  c.check(c.in(0).shape.back() <= INT32_MAX, "positions among ", c.in(0).shape.back(),
          " elements do not fit into int32");
}

// About n log2 n comparisons.
int64_t sort_cost(int64_t n) {
  int64_t cost = 2 * n;
  for (int64_t m = n; m > 1; m /= 2) cost += 2 * n;
  return cost;
}

// --- sort, argsort ---

// `indices`: argsort.
template <bool indices>
void infer_sort(InferContext& c) {
  const Shape& x = c.in(0).shape;
  const bool flat = optional_axis(c, 0, x.rank()) < 0;
  const int64_t n = flat ? x.size() : x[static_cast<int>(c.attr<int64_t>(0))];
  c.check(n <= INT32_MAX, "positions among ", n, " elements do not fit into int32");
  c.set_out(indices ? DType::int32 : c.in(0).dtype, flat ? Shape{x.size()} : x);
}

std::vector<ValueId> compose_sort(Emitter& e, const Attrs& attrs, ValueId x, bool indices) {
  const DType dtype = e.dtype(x);
  x = to_sortable(e, x);
  const int axis = flatten_or_axis(e, attrs[0], x);
  ValueId y = e(indices ? "argsort_rows" : "sort_rows", {move_axis_last(e, x, axis)}, {attrs[1]});
  y = move_last_axis_to(e, y, axis);
  return {indices ? y : from_sortable(e, y, dtype)};
}

template <bool indices>
void infer_sort_rows(InferContext& c) {
  need_sort_dtype(c, 0);
  check_row(c);
  c.set_out(indices ? DType::int32 : c.in(0).dtype, c.in(0).shape);
}

template <bool indices>
void lower_sort_rows(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const Lane lane = lane_of(x.dtype);
  SortArgs args;
  args.n = x.shape.back();
  args.descending = l.node().attr<bool>(0);
  const Ref scratch = l.scratch(sort_scratch_bytes(lane, args.n, indices) * rows_of(x.shape));
  auto& a = l.emit<SortArgs>(l.kernels.sort.sort[static_cast<int>(lane)], rows_of(x.shape), sort_cost(args.n), args);
  l.bind(a.x, l.in(0));
  indices ? l.bind(a.index, l.out()) : l.bind(a.y, l.out());
  l.bind(a.scratch, scratch);
}

ValueId put_back(GradientContext& c, ValueId dy, ValueId index) {
  return c.e("gather_along_grad", {dy, index}, {int64_t{c.e.shape(index).rank() - 1}, c.e.shape(c.x()).back()});
}

OpDef sort_composite(const char* name, void (*infer)(InferContext&),
                     ComposeRule compose,
                     const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.attrs = {{"axis", AttrKind::integer, int64_t{-1}}, {"descending", AttrKind::boolean, false}};
  op.infer = infer;
  op.compose = compose;
  op.doc = doc;
  return op;
}

// --- top_k ---

void check_k(InferContext& c) {
  check_row(c);
  const int64_t k = c.attr<int64_t>(0), n = c.in(0).shape.back();
  c.check(k >= 1 && k <= n, "`k` is ", k, "; the last axis of an input of shape ", c.in(0).shape, " allows 1 to ", n);
}

void set_top_k(InferContext& c) {
  Shape out = c.in(0).shape;
  out[-1] = c.attr<int64_t>(0);
  c.set_out(c.in(0).dtype, out);
  c.set_out(DType::int32, out);
}

void lower_top_k(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const Lane lane = lane_of(x.dtype);
  TopKArgs args;
  args.n = x.shape.back();
  args.k = l.node().attr<int64_t>(0);
  const Ref scratch = l.scratch(sort_scratch_bytes(lane, args.n, true) * rows_of(x.shape));
  auto& a = l.emit<TopKArgs>(l.kernels.sort.top_k[static_cast<int>(lane)], rows_of(x.shape),
                             2 * args.n + sort_cost(args.k), args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out(0));
  l.bind(a.index, l.out(1));
  l.bind(a.scratch, scratch);
}

// --- searchsorted ---

void infer_searchsorted(InferContext& c) {
  const std::string& side = c.attr<std::string>(0);
  c.check(side == "left" || side == "right", "`side` is \"", side, "\"; it must be \"left\" or \"right\"");
  c.check(c.in(0).shape.rank() == 1, "`sorted` has shape ", c.in(0).shape, "; it must have 1 axis");
  c.set_out(DType::int32, c.in(1).shape);
}

void lower_search_sorted(Lowering& l) {
  const Spec& sorted = l.in_spec(0);
  if (sorted.size() == 0) return emit_fill(l, l.out(), l.out_spec(), 0);
  SearchSortedArgs args;
  args.n = sorted.size();
  args.right = l.node().attr<bool>(0);
  auto& a = l.emit<SearchSortedArgs>(l.kernels.sort.search_sorted[static_cast<int>(lane_of(sorted.dtype))],
                                     l.in_spec(1).size(), 64, args);
  l.bind(a.sorted, l.in(0));
  l.bind(a.v, l.in(1));
  l.bind(a.y, l.out());
}

// --- distinct elements ---

void check_unique(InferContext& c, int64_t size) {
  c.check(c.in(0).size() > 0 || size == 0, "an input of shape ", c.in(0).shape, " is empty; it has no element to fill ",
          size, " with");
  c.check(c.in(0).size() <= INT32_MAX, "positions among ", c.in(0).size(), " elements do not fit into int32");
  c.check(size >= 0, "`size` is ", size, "; it must not be negative");
}

// values, first, inverse, counts, found
void set_unique(InferContext& c, int64_t size, const Shape& inverse) {
  c.set_out(c.in(0).dtype, {size});
  c.set_out(DType::int32, {size});
  c.set_out(DType::int32, inverse);
  c.set_out(DType::int32, {size});
  c.set_out(DType::int64, {});
}

std::vector<ValueId> compose_unique(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Shape shape = e.shape(inputs[0]);
  const DType dtype = e.dtype(inputs[0]);
  const ValueId x = e.reshape(to_sortable(e, inputs[0]), {shape.size()});
  std::vector<ValueId> y = e.apply(unique_elements_op, {attrs[0]}, {x});
  y[0] = from_sortable(e, y[0], dtype);
  if (const double* fill = std::get_if<double>(&attrs[1])) {
    const ValueId place = e("iota", {}, {Ints{std::get<int64_t>(attrs[0])}, DType::int64});
    y[0] = e.where(e("less", {place, y[4]}), y[0], e.graph.add_scalar(dtype, *fill));
  }
  y[2] = e.reshape(y[2], shape);
  return y;
}

void lower_unique(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const Lane lane = lane_of(x.dtype);
  if (x.size() == 0) return emit_fill(l, l.out(4), l.out_spec(4), 0);
  UniqueArgs args;
  args.n = x.size();
  args.size = l.node().attr<int64_t>(0);
  const Ref scratch = l.scratch(sort_scratch_bytes(lane, args.n, true));
  auto& a = l.emit<UniqueArgs>(l.kernels.sort.unique[static_cast<int>(lane)], 1, sort_cost(args.n), args);
  l.bind(a.x, l.in(0));
  l.bind(a.values, l.out(0));
  l.bind(a.first, l.out(1));
  l.bind(a.inverse, l.out(2));
  l.bind(a.counts, l.out(3));
  l.bind(a.found, l.out(4));
  l.bind(a.scratch, scratch);
}

// values[j] is x[first[j]]; what fills up repeats values[0].
void unique_gradient(GradientContext& c) {
  Emitter& e = c.e;
  if (!c.has_dy(0)) return;
  const int64_t size = c.node.attr<int64_t>(0);
  if (size == 0) return;
  const ValueId place = e("iota", {}, {Ints{size}, DType::int64});
  const ValueId smallest = e("slice", {c.y(1)}, {Ints{0}, Ints{1}, Ints{1}});
  const ValueId from = e.where(e("less", {place, c.y(4)}), c.y(1), smallest);
  c.set(0, e("gather_grad", {c.dy(0), from}, {int64_t{0}, e.spec(c.x()).size()}));
}

}  // namespace

const OpDef sort_op = sort_composite(
    "sort", infer_sort<false>,
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_sort(e, a, x[0], false); },
    "x in ascending (or descending) order along `axis` (None: x seen flat); NaN last.");
const OpDef argsort_op = sort_composite(
    "argsort", infer_sort<true>,
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_sort(e, a, x[0], true); },
    "The int32 positions that put x in order along `axis` (None: x seen flat); equals keep theirs, NaN goes last.");

const OpDef sort_rows_op = {
    .name = "sort_rows",
    .inputs = {"x"},
    .attrs = {{"descending", AttrKind::boolean, false}},
    .infer = infer_sort_rows<false>,
    .gradient =
        [](GradientContext& c) { c.set(0, put_back(c, c.dy(), c.e("argsort_rows", {c.x()}, {c.node.attrs[0]}))); },
    .lower = lower_sort_rows<false>,
    .doc = "Primitive of sort."};
const OpDef argsort_rows_op = {.name = "argsort_rows",
                               .inputs = {"x"},
                               .attrs = {{"descending", AttrKind::boolean, false}},
                               .infer = infer_sort_rows<true>,
                               .no_gradient = kNotDifferentiable,
                               .lower = lower_sort_rows<true>,
                               .doc = "Primitive of argsort."};

const OpDef top_k_op = {
    .name = "top_k",
    .inputs = {"x"},
    .attrs = {{"k", AttrKind::integer, {}, true}},
    .num_outputs = 2,
    .infer =
        [](InferContext& c) {
          check_k(c);
          set_top_k(c);
        },
    .compose =
        [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
          const DType dtype = e.dtype(x[0]);
          std::vector<ValueId> y = e.apply(top_k_rows_op, a, {to_sortable(e, x[0])});
          y[0] = from_sortable(e, y[0], dtype);
          return y;
        },
    .doc = "The k largest elements of each row of the last axis, largest first, and their int32 positions."};
const OpDef top_k_rows_op = {.name = "top_k_rows",
                             .inputs = {"x"},
                             .attrs = {{"k", AttrKind::integer, {}, true}},
                             .num_outputs = 2,
                             .infer =
                                 [](InferContext& c) {
                                   need_sort_dtype(c, 0);
                                   check_k(c);
                                   set_top_k(c);
                                 },
                             .gradient =
                                 [](GradientContext& c) {
                                   if (c.has_dy(0)) c.set(0, put_back(c, c.dy(0), c.y(1)));
                                 },
                             .lower = lower_top_k,
                             .doc = "Primitive of top_k."};

const OpDef searchsorted_op = {
    .name = "searchsorted",
    .inputs = {"sorted", "values"},
    .attrs = {{"side", AttrKind::text, std::string("left")}},
    .promote = Promote::common,
    .infer = infer_searchsorted,
    .compose =
        [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
          const bool right = std::get<std::string>(a[0]) == "right";
          return std::vector<ValueId>{e("search_sorted", {to_sortable(e, x[0]), to_sortable(e, x[1])}, {right})};
        },
    .doc =
        "For each value, how many elements of the ascending `sorted` are less than it (\"left\"), or not greater "
        "(\"right\")."};
const OpDef search_sorted_op = {
    .name = "search_sorted",
    .inputs = {"sorted", "values"},
    .attrs = {{"right", AttrKind::boolean, false}},
    .infer =
        [](InferContext& c) {
          need_sort_dtype(c, 0);
          c.check(c.in(0).shape.rank() == 1 && c.in(0).dtype == c.in(1).dtype && c.in(0).size() <= INT32_MAX, "got ",
                  c.in(0), " and ", c.in(1));
          c.set_out(DType::int32, c.in(1).shape);
        },
    .no_gradient = kNotDifferentiable,
    .lower = lower_search_sorted,
    .doc = "Primitive of searchsorted."};

const OpDef unique_with_size_op = {
    .name = "unique_with_size",
    .inputs = {"x"},
    .attrs = {{"size", AttrKind::integer}, {"fill_value", AttrKind::real}},
    .num_outputs = 5,
    .infer =
        [](InferContext& c) {
          if (!c.has_attr(0)) c.set_attr(0, c.in(0).size());
          check_unique(c, c.attr<int64_t>(0));
          set_unique(c, c.attr<int64_t>(0), c.in(0).shape);
        },
    .compose = compose_unique,
    .doc =
        "The distinct elements of x, ascending, cut or filled up to `size` (None: x.size) with `fill_value` (None: the "
        "smallest): (values, first positions, the place of each element of x, counts, how many there are)."};
const OpDef unique_elements_op = {.name = "unique_elements",
                                  .inputs = {"x"},
                                  .attrs = {{"size", AttrKind::integer, {}, true}},
                                  .num_outputs = 5,
                                  .infer =
                                      [](InferContext& c) {
                                        need_sort_dtype(c, 0);
                                        c.check(c.in(0).shape.rank() == 1, "x must have 1 axis, got shape ",
                                                c.in(0).shape);
                                        check_unique(c, c.attr<int64_t>(0));
                                        set_unique(c, c.attr<int64_t>(0), c.in(0).shape);
                                      },
                                  .gradient = unique_gradient,
                                  .lower = lower_unique,
                                  .doc = "Primitive of unique_with_size."};

}  // namespace falconet
