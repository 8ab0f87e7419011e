// Shapes: what moves or repeats elements without computing on them.
#include <algorithm>

#include "graph/check_node.h"
#include "ops/rules.h"

namespace falconet {

namespace {

int64_t view_whole(const Graph&, const Node&) { return 0; }

void infer_reshape(InferContext& c) {
  Ints dims = c.attr<Ints>(0);
  const Shape& from = c.in(0).shape;
  int64_t known = 1, unknown = -1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == -1) {
      c.check(unknown < 0, "`shape` is ", attr_text(dims), "; at most one size may be -1");
      unknown = static_cast<int64_t>(i);
    } else {
      c.check(dims[i] >= 0, "`shape` is ", attr_text(dims), "; sizes must be -1 or not negative");
      // Beyond the input's size the product says no more, and could leave 64 bits.
      c.check(dims[i] == 0 || known <= from.size() / dims[i] || from.size() == 0, "an input of shape ", from, " (", from.size(),
              " elements) cannot take the shape ", attr_text(dims));
      known = from.size() == 0 ? std::min(known, dims[i]) : known * dims[i];
    }
  }
  if (unknown >= 0) {
    c.check(known > 0 && from.size() % known == 0, "an input of shape ", from, " (", from.size(),
            " elements) cannot take the shape ", attr_text(dims));
    dims[unknown] = from.size() / known;
    known = from.size();
  }
  c.check(known == from.size(), "an input of shape ", from, " (", from.size(), " elements) cannot take the shape ",
          attr_text(dims), " (", known, " elements)");
  c.set_out(c.in(0).dtype, Shape(dims.begin(), dims.end()));
  c.set_attr(0, dims);
}

void infer_transpose(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  Ints axes;
  if (c.has_attr(0)) {
    axes = c.attr<Ints>(0);
  } else {
    for (int d = rank - 1; d >= 0; --d) axes.push_back(d);
  }
  std::vector<bool> seen(rank, false);
  bool permutation = static_cast<int>(axes.size()) == rank;
  for (int64_t& a : axes) {
    if (a < 0) a += rank;
    permutation = permutation && a >= 0 && a < rank && !seen[a];
    if (permutation) seen[a] = true;
  }
  c.check(permutation, "`axes` is ", attr_text(axes), "; it must be a permutation of the input's ", rank, " axes");
  Shape shape;
  for (int64_t a : axes) shape.push_back(c.in(0).shape[static_cast<int>(a)]);
  c.set_out(c.in(0).dtype, shape);
  c.set_attr(0, axes);
}

// Emits a strided copy of `dims` from `from` to `to`.
void emit_copy(Lowering& l, DType dtype, Ref from, Ref to, const Shape& dims, const Shape& from_strides, const Shape& to_strides) {
  const int64_t size = size_of(dtype);
  const CopyArgs args = copy_plan(dims.rank(), dims.begin(), from_strides.begin(), to_strides.begin());
  auto& a = l.emit<CopyArgs>(l.kernels.move.copy[element_size_log2(size)], args.units, args.unit_elements * size / 2, args);
  l.bind(a.x, from);
  l.bind(a.y, to);
}

void lower_transpose(Lowering& l) {
  const Shape own = contiguous_strides(l.in_spec(0).shape);
  Shape strides;
  for (int64_t a : l.node().attr<Ints>(0)) strides.push_back(own[static_cast<int>(a)]);
  const Shape& out = l.out_spec().shape;
  emit_copy(l, l.out_spec().dtype, l.in(0), l.out(), out, strides, contiguous_strides(out));
}

// A transposition that only moves axes of one element leaves memory as it is.
int64_t view_transpose(const Graph& g, const Node& n) {
  const Shape& shape = g.spec(n.inputs[0]).shape;
  int64_t last = -1;
  for (int64_t a : n.attr<Ints>(0)) {
    if (shape[static_cast<int>(a)] == 1) continue;
    if (a < last) return -1;
    last = a;
  }
  return 0;
}

void infer_broadcast_to(InferContext& c) {
  const Ints& dims = c.attr<Ints>(0);
  const Shape to(dims.begin(), dims.end()), &from = c.in(0).shape;
  bool fits = from.rank() <= to.rank();
  for (int k = 1; fits && k <= from.rank(); ++k) fits = from[-k] == to[-k] || from[-k] == 1;
  c.check(fits, "an input of shape ", from, " cannot be broadcast to ", to);
  c.set_out(c.in(0).dtype, to);
}

// Brings start, stop and step into canonical form, one for every axis: 0 <= start, and stop the end that `step` counts
// to. Returns the shape of what they cut from an array of shape `from`.
Shape cut(InferContext& c, const Shape& from, Ints& start, Ints& stop, Ints& step) {
  const size_t rank = from.rank();
  c.check(start.size() <= rank && stop.size() == start.size() && (step.empty() || step.size() == start.size()),
          "`start`, `stop` and `step` have ", start.size(), ", ", stop.size(), " and ", step.size(),
          " numbers; each needs as many, at most the input's ", rank, " axes");
  step.resize(start.size(), 1);
  for (size_t d = start.size(); d < rank; ++d) {
    start.push_back(0);
    stop.push_back(from[static_cast<int>(d)]);
    step.push_back(1);
  }
  Shape out;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t n = from[static_cast<int>(d)];
    c.check(step[d] != 0, "`step` is 0 on axis ", d);
    // Python's rule: negative positions count from the end, what is outside is cut off.
    const auto clamp = [&](int64_t at, int64_t low, int64_t high) { return at < low ? low : at > high ? high : at; };
    const int64_t low = step[d] > 0 ? 0 : -1, high = step[d] > 0 ? n : n - 1;
    // A stride past the end takes one element, however long it is.
    step[d] = clamp(step[d], -n - 1, n + 1);
    // A stop of -n-1 under a negative step is the canonical "before the first".
    if (start[d] < 0) start[d] += n;
    if (stop[d] < 0) stop[d] += n;
    start[d] = clamp(start[d], low, high);
    stop[d] = clamp(stop[d], low, high);
    const int64_t span = step[d] > 0 ? stop[d] - start[d] : start[d] - stop[d], by = step[d] > 0 ? step[d] : -step[d];
    const int64_t count = span > 0 ? (span + by - 1) / by : 0;
    out.push_back(count);
    // Written so that reading it again changes nothing.
    if (count == 0) {
      start[d] = stop[d] = 0;
      step[d] = 1;
    } else if (step[d] < 0 && start[d] + (count - 1) * step[d] + step[d] < 0) {
      stop[d] = -n - 1;
    }
  }
  return out;
}

void infer_slice(InferContext& c) {
  Ints start = c.attr<Ints>(0), stop = c.attr<Ints>(1), step = c.attr<Ints>(2);
  const Shape out = cut(c, c.in(0).shape, start, stop, step);
  c.set_attr(0, start);
  c.set_attr(1, stop);
  c.set_attr(2, step);
  c.set_out(c.in(0).dtype, out);
}

void infer_slice_grad(InferContext& c) {
  const Ints& dims = c.attr<Ints>(0);
  const Shape shape(dims.begin(), dims.end());
  check_size({c.in(0).dtype, shape}, "slice_grad", kMaxValueBytes);  // before anything is computed with it
  Ints start = c.attr<Ints>(1), stop = c.attr<Ints>(2), step = c.attr<Ints>(3);
  const Shape part = cut(c, shape, start, stop, step);
  c.check(c.in(0).shape == part, "dy has shape ", c.in(0).shape, "; the slice of ", shape, " has ", part);
  c.set_attr(1, start);
  c.set_attr(2, stop);
  c.set_attr(3, step);
  c.set_out(c.in(0).dtype, shape);
}

// The walk over the input that a slice is: first element and strides.
int64_t slice_walk(const Shape& from, const Ints& start, const Ints& step, Shape& strides) {
  const Shape own = contiguous_strides(from);
  strides = own;
  int64_t first = 0;
  for (int d = 0; d < from.rank(); ++d) {
    first += start[d] * own[d];
    strides[d] = own[d] * step[d];
  }
  return first;
}

void lower_slice(Lowering& l) {
  Shape strides;
  const int64_t first = slice_walk(l.in_spec(0).shape, l.node().attr<Ints>(0), l.node().attr<Ints>(2), strides);
  const Spec& out = l.out_spec();
  emit_copy(l, out.dtype, l.in(0) + first * size_of(out.dtype), l.out(), out.shape, strides, contiguous_strides(out.shape));
}

// Contiguous where, after the first axis cut short, every axis is whole, and before it each has one element.
int64_t view_slice(const Graph& g, const Node& n) {
  const Shape &from = g.spec(n.inputs[0]).shape, &to = g.spec(n.output()).shape;
  if (to.size() == 0) return -1;
  Shape strides;
  const int64_t first = slice_walk(from, n.attr<Ints>(0), n.attr<Ints>(2), strides);
  int64_t expected = 1;
  for (int d = from.rank() - 1; d >= 0; --d) {
    if (to[d] == 1) continue;
    if (strides[d] != expected) return -1;
    expected *= to[d];
  }
  return first * size_of(g.spec(n.output()).dtype);
}

void slice_gradient(GradientContext& c) {
  const Shape& shape = c.e.shape(c.x());
  c.set(0, c.e("slice_grad", {c.dy()}, {Ints(shape.begin(), shape.end()), c.node.attrs[0], c.node.attrs[1], c.node.attrs[2]}));
}

void infer_concatenate(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  c.check(rank > 0, "inputs must have at least 1 axis");
  const int axis = c.axis(0, rank);
  Shape shape = c.in(0).shape;
  for (int i = 1; i < c.num_inputs(); ++i) {
    const Shape& other = c.in(i).shape;
    bool fits = other.rank() == rank;
    for (int d = 0; fits && d < rank; ++d) fits = d == axis || other[d] == shape[d];
    c.check(fits, "input 0 has shape ", c.in(0).shape, " and input ", i, " has ", other, "; all sizes but that of axis ",
            axis, " must be equal");
    shape[axis] += other[axis];
  }
  c.set_attr(0, int64_t{axis});
  c.set_out(c.in(0).dtype, shape);
}

void lower_concatenate(Lowering& l) {
  const int axis = static_cast<int>(l.node().attr<int64_t>(0));
  const Spec& out = l.out_spec();
  const Shape to = contiguous_strides(out.shape);
  int64_t at = 0;
  for (size_t i = 0; i < l.node().inputs.size(); ++i) {
    const Shape& shape = l.in_spec(static_cast<int>(i)).shape;
    if (!l.in_place(static_cast<int>(i)) && shape.size() > 0) {
      emit_copy(l, out.dtype, l.in(static_cast<int>(i)), l.out() + at * to[axis] * size_of(out.dtype), shape,
                contiguous_strides(shape), to);
    }
    at += shape[axis];
  }
}

std::vector<int64_t> place_concatenated(const Graph& g, const Node& n) {
  const Spec& out = g.spec(n.output());
  for (int d = 0; d < static_cast<int>(n.attr<int64_t>(0)); ++d) {
    if (out.shape[d] != 1) return {};
  }
  std::vector<int64_t> offsets;
  int64_t at = 0;
  for (ValueId v : n.inputs) {
    offsets.push_back(at);
    at += g.spec(v).bytes();
  }
  return offsets;
}

void concatenate_gradient(GradientContext& c) {
  const int64_t axis = c.node.attr<int64_t>(0);
  const int rank = c.e.shape(c.y()).rank();
  int64_t at = 0;
  for (size_t i = 0; i < c.node.inputs.size(); ++i) {
    const Shape shape = c.e.shape(c.x(static_cast<int>(i)));
    if (c.wants(static_cast<int>(i))) {
      Ints start(rank, 0), stop(shape.begin(), shape.end());
      start[axis] = at;
      stop[axis] = at + shape[static_cast<int>(axis)];
      c.set(static_cast<int>(i), c.e("slice", {c.dy()}, {start, stop, Ints(rank, 1)}));
    }
    at += shape[static_cast<int>(axis)];
  }
}

}  // namespace

const OpDef reshape_op = {
    .name = "reshape", .inputs = {"x"}, .attrs = {{"shape", AttrKind::ints, {}, true}}, .infer = infer_reshape,
    .gradient = [](GradientContext& c) { c.set(0, c.e.reshape(c.dy(), c.e.shape(c.x()))); }, .view = view_whole,
    .doc = "The same elements in another shape; one size may be -1."};

const OpDef transpose_op = {
    .name = "transpose", .inputs = {"x"}, .attrs = {{"axes", AttrKind::ints}}, .infer = infer_transpose,
    .gradient = [](GradientContext& c) {
      const Ints& axes = c.node.attr<Ints>(0);
      Ints inverse(axes.size());
      for (size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<int64_t>(i);
      c.set(0, c.e.transpose(c.dy(), inverse));
    },
    .lower = lower_transpose, .view = view_transpose,
    .doc = "Axes in another order (reversed where `axes` is None)."};

const OpDef broadcast_to_op = {
    .name = "broadcast_to", .inputs = {"x"}, .attrs = {{"shape", AttrKind::ints, {}, true}}, .infer = infer_broadcast_to,
    .gradient = [](GradientContext& c) { c.set(0, c.dy()); }, .pointwise = true,
    .tile = [](TileEmitter& t) { return t.in(0); },
    .doc = "x repeated to a larger shape, by NumPy's rule."};

// For what is broadcast in order to be repeated: a copy of its own is faster than tiles that are put together first.
const OpDef spread_op = {
    .name = "spread", .inputs = {"x"}, .attrs = {{"shape", AttrKind::ints, {}, true}}, .infer = infer_broadcast_to,
    .gradient = [](GradientContext& c) { c.set(0, c.dy()); },
    .lower = [](Lowering& l) {
      const Shape &from = l.in_spec(0).shape, &to = l.out_spec().shape, own = contiguous_strides(from);
      if (to.size() == 0) return;
      Shape strides = to;
      const int lead = to.rank() - from.rank();
      for (int d = 0; d < to.rank(); ++d) strides[d] = d < lead || from[d - lead] == 1 ? 0 : own[d - lead];
      emit_copy(l, l.out_spec().dtype, l.in(0), l.out(), to, strides, contiguous_strides(to));
    },
    .doc = "broadcast_to, as a copy in memory that nothing is fused with."};

const OpDef slice_op = {
    .name = "slice", .inputs = {"x"},
    .attrs = {{"start", AttrKind::ints, {}, true}, {"stop", AttrKind::ints, {}, true}, {"step", AttrKind::ints, Ints{}}},
    .infer = infer_slice, .gradient = slice_gradient, .lower = lower_slice, .view = view_slice,
    .doc = "x[start:stop:step] on each of the first axes, by Python's rule."};

const OpDef slice_grad_op = {
    .name = "slice_grad", .inputs = {"dy"},
    .attrs = {{"shape", AttrKind::ints, {}, true}, {"start", AttrKind::ints, {}, true}, {"stop", AttrKind::ints, {}, true},
              {"step", AttrKind::ints, {}, true}},
    .infer = infer_slice_grad,
    .gradient = [](GradientContext& c) { c.set(0, c.e("slice", {c.dy()}, {c.node.attrs[1], c.node.attrs[2], c.node.attrs[3]})); },
    .lower = [](Lowering& l) {
      const Spec& out = l.out_spec();
      const int64_t size = size_of(out.dtype);
      auto& fill = l.emit<FillArgs>(l.kernels.move.fill[element_size_log2(size)], fill_units(out.size()), kFillBlock);
      fill.count = out.size();
      l.bind(fill.y, l.out());
      if (l.in_spec(0).size() == 0) return;
      Shape strides;
      const int64_t first = slice_walk(out.shape, l.node().attr<Ints>(1), l.node().attr<Ints>(3), strides);
      const Shape& dims = l.in_spec(0).shape;
      emit_copy(l, out.dtype, l.in(0), l.out() + first * size, dims, contiguous_strides(dims), strides);
    },
    .doc = "Zeros of `shape` in which x[start:stop:step] is dy."};

const OpDef concatenate_op = {
    .name = "concatenate", .inputs = {"xs..."}, .attrs = {{"axis", AttrKind::integer, int64_t{-1}}}, .promote = Promote::common,
    .infer = infer_concatenate, .gradient = concatenate_gradient, .lower = lower_concatenate,
    .place_inputs = place_concatenated, .doc = "Inputs one after another along `axis`."};

}  // namespace falconet
