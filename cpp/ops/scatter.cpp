// Writing slices by multi-index, and windows whose place is a value.
//
//   scatter               y = base, then y[indices[j]] op= updates[j] for j ascending; indices (..., r) address the
//   first
//                         r axes of base
//   dynamic_slice         y = x[start : start + shape], start moved so that the window fits
//   dynamic_update_slice  y = x, with updates put there
//
// A multi-index becomes the number of a row of base seen as (rows, inner), by integer arithmetic that fuses into one
// pass; scatter_rows is the primitive. Negative indices count from the end; one that is still out of range is an error.
#include "ops/tools.h"

namespace falconet {

namespace {

constexpr const char* kModes[] = {"add", "mul", "min", "max", "set"};  // the first four in the order of ScatterOp
constexpr int kSet = 4;

int mode_number(InferContext& c, const std::string& mode) {
  for (int i = 0; i < 5; ++i) {
    if (mode == kModes[i]) return i;
  }
  c.refuse("`mode` is \"", mode, "\"; it must be one of \"add\", \"set\", \"min\", \"max\", \"mul\"");
}

void infer_scatter(InferContext& c) {
  need_integers(c, 1, "indices");
  mode_number(c, c.attr<std::string>(0));
  const Shape &base = c.in(0).shape, &index = c.in(1).shape, &updates = c.in(2).shape;
  c.check(index.rank() >= 1, "`indices` must have at least 1 axis; its last one holds the index of one slice");
  c.check(index.back() >= 1 && index.back() <= base.rank(), "`indices` has shape ", index,
          "; its last size must be between 1 and ", base.rank(), ", the number of axes of a base of shape ", base);
  Shape want = without_last(index);
  for (int d = static_cast<int>(index.back()); d < base.rank(); ++d) want.push_back(base[d]);
  bool fits = updates.rank() <= want.rank();
  for (int k = 1; fits && k <= updates.rank(); ++k) fits = updates[-k] == want[-k] || updates[-k] == 1;
  c.check(fits, "`updates` has shape ", updates, "; indices ", index, " into a base ", base, " need ", want);
  c.check(base.size() > 0 || want.size() == 0, "a base of shape ", base, " is empty and cannot take updates");
  c.set_out(c.in(0).dtype, base);
}

// The number of a row for each multi-index; one past the last where any part of it is out of range.
ValueId row_numbers(Emitter& e, ValueId index, const Shape& sizes) {
  const int last = e.shape(index).rank() - 1;
  int64_t rows = 1;
  for (int64_t d : sizes) rows *= d;
  if (rows > INT32_MAX) index = e.cast(index, DType::int64);
  const Shape from = e.shape(index);
  const DType dtype = e.dtype(index);
  const auto number = [&](int64_t n) { return e.graph.add_scalar(dtype, static_cast<double>(n)); };
  ValueId row = kNoValue, inside = kNoValue;
  int64_t stride = rows;
  for (int k = 0; k < sizes.rank(); ++k) {
    stride /= sizes[k];
    Ints start(last + 1, 0), stop(from.begin(), from.end());
    start[last] = k;
    stop[last] = k + 1;
    ValueId i = e.reshape(e("slice", {index}, {start, stop, Ints(last + 1, 1)}), without_last(from));
    i = e.where(e("less", {i, number(0)}), e.add(i, number(sizes[k])), i);
    const ValueId good = e("logical_and", {e("less_equal", {number(0), i}), e("less", {i, number(sizes[k])})});
    const ValueId part = e.mul(i, number(stride));
    row = row == kNoValue ? part : e.add(row, part);
    inside = inside == kNoValue ? good : e("logical_and", {inside, good});
  }
  return e.where(inside, row, number(rows));
}

std::vector<ValueId> compose_scatter(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Shape shape = e.shape(inputs[0]), at = e.shape(inputs[1]);
  const DType dtype = e.dtype(inputs[0]);
  const int r = static_cast<int>(at.back());
  const Shape sizes(shape.begin(), shape.begin() + r), inner(shape.begin() + r, shape.end());
  Shape want = without_last(at);
  for (int64_t d : inner) want.push_back(d);
  if (want.size() == 0) return {inputs[0]};
  const DType compute = std::get<std::string>(attrs[0]) == "set" ? dtype : kernel_dtype(dtype);
  const int64_t count = without_last(at).size();
  ValueId index = as_index(e, inputs[1]);
  if (r > 1) index = row_numbers(e, index, sizes);
  const ValueId base = e.reshape(e.cast(inputs[0], compute), {sizes.size(), inner.size()});
  const ValueId updates = e.broadcast_to(e.cast(e.cast(inputs[2], dtype), compute), want);
  const ValueId y = e("scatter_rows", {base, e.reshape(index, {count}), e.reshape(updates, {count, inner.size()})},
                      {attrs[0], false});
  return {e.cast(e.reshape(y, shape), dtype)};
}

void infer_scatter_rows(InferContext& c) {
  if (mode_number(c, c.attr<std::string>(0)) != kSet) need_kernel_dtype(c, 0);
  need_index(c, 1);
  const Shape &base = c.in(0).shape, &index = c.in(1).shape, &updates = c.in(2).shape;
  c.check(
      base.rank() == 2 && index.rank() == 1 && updates == Shape{index[0], base[1]} && c.in(2).dtype == c.in(0).dtype,
      "needs a base (rows, inner), an index (m,) and updates (m, inner), got ", c.in(0), ", ", c.in(1), ", ", c.in(2));
  c.set_out(c.in(0).dtype, base);
}

void lower_scatter_rows(Lowering& l) {
  const Spec& out = l.out_spec();
  emit_copy(l, l.in(0), l.out(), out);
  if (l.in_spec(1).size() == 0) return;
  ScatterArgs args;
  args.n = out.shape[0];
  args.m = l.in_spec(1).size();
  args.inner = out.shape[1];
  args.index64 = l.in_spec(1).dtype == DType::int64;
  args.error = l.index_error(args.inner == 1 ? join_text("a base of ", args.n, " elements")
                                             : join_text("a base of ", args.n, " rows of ", args.inner, " elements"));
  scatter_plan(&args);
  int mode = 0;
  while (l.node().attr<std::string>(0) != kModes[mode]) ++mode;
  const TaskFn task = mode == kSet ? l.kernels.move.scatter_set[element_size_log2(size_of(out.dtype))]
                                   : l.kernels.move.scatter[mode][static_cast<int>(lane_of(out.dtype))];
  auto& a = l.emit<ScatterArgs>(task, args.units, args.m * args.inner * 2 / args.parts + 1, args);
  l.bind(a.x, l.in(2));
  l.bind(a.index, l.in(1));
  l.bind(a.y, l.out());
}

// Set: the last update of each row is what y holds, and it alone has a gradient.
void set_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId dy = c.dy(), index = c.x(1), zero = e.scalar(0, dy);
  const int64_t count = e.spec(index).size(), rows = e.shape(dy)[0];
  const bool distinct = c.node.attr<bool>(1);
  if (c.wants(0)) {
    c.set(0, e("scatter_rows", {dy, index, e.broadcast_to(zero, e.shape(c.x(2)))}, {std::string("set"), distinct}));
  }
  if (!c.wants(2)) return;
  const ValueId taken = e("gather", {dy, index}, {int64_t{0}});
  if (distinct) return c.set(2, taken);
  const ValueId order = e("iota", {}, {Ints{count, 1}, DType::int64});
  const ValueId none = e.broadcast_to(e.graph.add_scalar(DType::int64, -1), {rows, 1});
  const ValueId last =
      e("gather", {e("scatter_rows", {none, index, order}, {std::string("set"), false}), index}, {int64_t{0}});
  c.set(2, e.where(e("equal", {last, order}), taken, zero));
}

// Base and updates that tie for the extremum share it equally.
void extremum_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId y = c.y(), index = c.x(1);
  const ValueId base_hit = e.cast(e("equal", {c.x(0), y}), e.dtype(y));
  const ValueId update_hit = e.cast(e("equal", {c.x(2), e("gather", {y, index}, {int64_t{0}})}), e.dtype(y));
  const ValueId count = e("scatter_rows", {base_hit, index, update_hit}, {std::string("add"), false});
  const ValueId share = e.div(c.dy(), e("maximum", {count, e.scalar(1, count)}));
  c.set(0, e.mul(share, base_hit));
  if (c.wants(2)) c.set(2, e.mul(e("gather", {share, index}, {int64_t{0}}), update_hit));
}

// The product of the other factors: y / x where none of them is 0; where one factor is, only it has a gradient.
void product_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId base = c.x(0), index = c.x(1), updates = c.x(2), zero = e.scalar(0, base), one = e.scalar(1, base);
  const ValueId base_zero = e("equal", {base, zero}), update_zero = e("equal", {updates, zero});
  const ValueId safe_base = e.where(base_zero, one, base), safe_updates = e.where(update_zero, one, updates);
  const DType dtype = e.dtype(base);
  const ValueId zeros =
      e("scatter_rows", {e.cast(base_zero, dtype), index, e.cast(update_zero, dtype)}, {std::string("add"), false});
  const ValueId product = e("scatter_rows", {safe_base, index, safe_updates}, {std::string("mul"), false});
  const auto slope = [&](ValueId factor_zero, ValueId safe, ValueId num_zeros, ValueId all, ValueId dy) {
    const ValueId at_zero = e.where(e("equal", {num_zeros, one}), all, zero);
    const ValueId elsewhere = e.where(e("equal", {num_zeros, zero}), e.div(all, safe), zero);
    return e.mul(dy, e.where(factor_zero, at_zero, elsewhere));
  };
  if (c.wants(0)) c.set(0, slope(base_zero, safe_base, zeros, product, c.dy()));
  if (!c.wants(2)) return;
  const auto at = [&](ValueId v) { return e("gather", {v, index}, {int64_t{0}}); };
  const ValueId num_zeros = at(zeros), all = at(product), dy = at(c.dy());
  c.set(2, slope(update_zero, safe_updates, num_zeros, all, dy));
}

void scatter_rows_gradient(GradientContext& c) {
  const std::string& mode = c.node.attr<std::string>(0);
  if (mode == "set") return set_gradient(c);
  if (mode == "mul") return product_gradient(c);
  if (mode != "add") return extremum_gradient(c);
  c.set(0, c.dy());
  if (c.wants(2)) c.set(2, c.e("gather", {c.dy(), c.x(1)}, {int64_t{0}}));
}

// --- windows ---

void check_start(InferContext& c, int input) {
  need_integers(c, input, "start");
  const int rank = c.in(0).shape.rank();
  c.check(c.in(input).shape == Shape{rank}, "`start` has shape ", c.in(input).shape, "; an input of shape ",
          c.in(0).shape, " needs one number for each of its axes, (", rank, ",)");
}

void check_window(InferContext& c, const char* what, const Shape& window) {
  const Shape& from = c.in(0).shape;
  bool fits = window.rank() == from.rank();
  for (int d = 0; fits && d < from.rank(); ++d) fits = window[d] >= 0 && window[d] <= from[d];
  c.check(fits, "`", what, "` is ", window, "; it must fit into the input's shape ", from);
}

// start[d] as a scalar, moved so that a window of `size` fits into `whole`.
ValueId clamped_start(Emitter& e, ValueId start, int d, int64_t size, int64_t whole) {
  const ValueId one = e.reshape(e("slice", {start}, {Ints{d}, Ints{d + 1}, Ints{1}}), {});
  const ValueId last = e.graph.add_scalar(e.dtype(start), static_cast<double>(whole - size));
  return e("maximum", {e("minimum", {one, last}), e.graph.add_scalar(e.dtype(start), 0)});
}

std::vector<ValueId> compose_dynamic_slice(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Ints& window = std::get<Ints>(attrs[0]);
  const Shape from = e.shape(inputs[0]);
  const ValueId start = as_index(e, inputs[1]);
  ValueId x = inputs[0];
  for (int d = 0; d < from.rank(); ++d) {
    if (window[d] == from[d]) continue;
    const ValueId first = clamped_start(e, start, d, window[d], from[d]);
    x = e("gather", {x, e.add(iota_along(e, window[d], 0, 1, e.dtype(start)), first)}, {int64_t{d}});
  }
  return {x};
}

std::vector<ValueId> compose_dynamic_update_slice(Emitter& e, const Attrs&, const std::vector<ValueId>& inputs) {
  const Shape from = e.shape(inputs[0]), window = e.shape(inputs[1]);
  const DType dtype = e.dtype(inputs[0]);
  if (window.size() == 0) return {inputs[0]};
  const ValueId updates = e.cast(inputs[1], dtype);
  // Axes after the last partial one are whole: they are what a row holds.
  int r = from.rank();
  while (r > 0 && window[r - 1] == from[r - 1]) --r;
  if (r == 0) return {updates};
  const Shape sizes(from.begin(), from.begin() + r), counts(window.begin(), window.begin() + r);
  const int64_t inner = Shape(from.begin() + r, from.end()).size();
  ValueId start = as_index(e, inputs[2]);
  if (sizes.size() > INT32_MAX) start = e.cast(start, DType::int64);
  ValueId row = kNoValue;
  int64_t stride = sizes.size();
  for (int d = 0; d < r; ++d) {
    stride /= sizes[d];
    const ValueId at =
        e.add(iota_along(e, counts[d], d, r, e.dtype(start)), clamped_start(e, start, d, counts[d], sizes[d]));
    const ValueId part = e.mul(at, e.graph.add_scalar(e.dtype(start), static_cast<double>(stride)));
    row = row == kNoValue ? part : e.add(row, part);
  }
  const ValueId base = e.reshape(inputs[0], {sizes.size(), inner});
  const ValueId y =
      e("scatter_rows", {base, e.reshape(row, {counts.size()}), e.reshape(updates, {counts.size(), inner})},
        {std::string("set"), true});
  return {e.reshape(y, from)};
}

}  // namespace

const OpDef scatter_op = {.name = "scatter",
                          .inputs = {"base", "indices", "updates"},
                          .attrs = {{"mode", AttrKind::text, std::string("add")}},
                          .infer = infer_scatter,
                          .compose = compose_scatter,
                          .doc =
                              "base with updates added, set (the last one wins), multiplied or taken the extremum with "
                              "at base[indices[..., :]]; "
                              "updates broadcast to indices.shape[:-1] + base.shape[indices.shape[-1]:]."};

const OpDef scatter_rows_op = {
    .name = "scatter_rows",
    .known_as = "scatter",
    .inputs = {"base", "index", "updates"},
    .attrs = {{"mode", AttrKind::text, {}, true}, {"distinct", AttrKind::boolean, false}},
    .infer = infer_scatter_rows,
    .gradient = scatter_rows_gradient,
    .lower = lower_scatter_rows,
    .doc = "Primitive of scatter: rows of base by their number. `distinct` promises that none is named twice."};

const OpDef dynamic_slice_op = {.name = "dynamic_slice",
                                .inputs = {"x", "start"},
                                .attrs = {{"shape", AttrKind::ints, {}, true}},
                                .infer =
                                    [](InferContext& c) {
                                      check_start(c, 1);
                                      const Ints& dims = c.attr<Ints>(0);
                                      const Shape window(dims.begin(), dims.end());
                                      check_window(c, "shape", window);
                                      c.set_out(c.in(0).dtype, window);
                                    },
                                .compose = compose_dynamic_slice,
                                .doc = "The window x[start : start + shape]; start is moved so that the window fits."};

const OpDef dynamic_update_slice_op = {
    .name = "dynamic_update_slice",
    .inputs = {"x", "updates", "start"},
    .infer =
        [](InferContext& c) {
          check_start(c, 2);
          check_window(c, "updates.shape", c.in(1).shape);
          c.set_out(c.in(0).dtype, c.in(0).shape);
        },
    .compose = compose_dynamic_update_slice,
    .doc = "x with the window at `start` replaced by updates; start is moved so that the window fits."};

}  // namespace falconet
