// Between class numbers or masks and arrays: one-hot rows, counts of classes, positions of what is true.
#include "ops/tools.h"

namespace falconet {

namespace {

void infer_one_hot(InferContext& c) {
  need_integers(c, 0, "x");
  const int64_t depth = c.attr<int64_t>(0);
  c.check(depth >= 0, "`num_classes` is ", depth, "; it must not be negative");
  c.set_out(c.attr<DType>(1), with_last(c.in(0).shape, depth));
}

void lower_one_hot(Lowering& l) {
  const Spec& out = l.out_spec();
  OneHotArgs args;
  args.depth = out.shape.back();
  args.index64 = l.in_spec(0).dtype == DType::int64;
  args.on = 0;
  write_scalar(&args.on, out.dtype, 1);
  const int64_t size = size_of(out.dtype);
  auto& a = l.emit<OneHotArgs>(l.kernels.move.one_hot[element_size_log2(size)], l.in_spec(0).size(),
                               args.depth * size / 4 + 4, args);
  l.bind(a.index, l.in(0));
  l.bind(a.y, l.out());
}

void infer_bincount(InferContext& c) {
  need_integers(c, 0, "x");
  c.check(c.in(0).shape.rank() >= 1, "x must have at least 1 axis, got a scalar");
  const int64_t depth = c.attr<int64_t>(0);
  c.check(depth >= 0, "`depth` is ", depth, "; it must not be negative");
  Shape out = c.in(0).shape;
  out[-1] = depth;
  c.set_out(DType::int32, out);
}

void lower_bincount(Lowering& l) {
  const Spec &x = l.in_spec(0), &out = l.out_spec();
  if (x.size() == 0) return emit_fill(l, l.out(), out, 0);
  BincountArgs args;
  args.n = x.shape.back();
  args.depth = out.shape.back();
  args.index64 = x.dtype == DType::int64;
  auto& a = l.emit<BincountArgs>(l.kernels.move.bincount, rows_of(x.shape), args.n * 2 + args.depth, args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out());
}

void infer_nonzero(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  if (c.in(0).dtype != DType::boolean) c.refuse_type("x must be bool, got ", name_of(c.in(0).dtype));
  c.check(rank >= 1, "x must have at least 1 axis, got a scalar");
  const int64_t size = c.has_attr(0) ? c.attr<int64_t>(0) : c.in(0).size();
  c.check(size >= 0, "`size` is ", size, "; it must not be negative");
  for (int64_t d : c.in(0).shape)
    c.check(d <= INT32_MAX, "positions in an input of shape ", c.in(0).shape, " do not fit into int32");
  c.set_attr(0, size);
  if (!c.has_attr(1)) c.set_attr(1, int64_t{0});
  c.set_out(DType::int32, {rank, size});
  c.set_out(DType::int64, {});
}

void lower_nonzero(Lowering& l) {
  const Spec& x = l.in_spec(0);
  if (x.size() == 0) {
    emit_fill(l, l.out(0), l.out_spec(0), static_cast<double>(l.node().attr<int64_t>(1)));
    return emit_fill(l, l.out(1), l.out_spec(1), 0);
  }
  NonzeroArgs args;
  args.rank = x.shape.rank();
  std::copy(x.shape.begin(), x.shape.end(), args.dims);
  args.size = l.node().attr<int64_t>(0);
  args.index64 = false;
  args.fill = l.node().attr<int64_t>(1);
  auto& a = l.emit<NonzeroArgs>(l.kernels.move.nonzero, 1, x.size(), args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out(0));
  l.bind(a.found, l.out(1));
}

}  // namespace

const OpDef one_hot_op = {
    .name = "one_hot",
    .inputs = {"x"},
    .attrs = {{"num_classes", AttrKind::integer, {}, true}, {"dtype", AttrKind::dtype, DType::float32}},
    .infer = infer_one_hot,
    .compose =
        [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
          return std::vector<ValueId>{e("one_hot_rows", {as_index(e, x[0])}, a)};
        },
    .doc = "A last axis of `num_classes` that is 1 at the class and 0 elsewhere; all 0 for a class out of range."};
const OpDef one_hot_rows_op = {
    .name = "one_hot_rows",
    .inputs = {"index"},
    .attrs = {{"num_classes", AttrKind::integer, {}, true}, {"dtype", AttrKind::dtype, DType::float32}},
    .infer =
        [](InferContext& c) {
          need_index(c, 0);
          infer_one_hot(c);
        },
    .no_gradient = kNotDifferentiable,
    .lower = lower_one_hot,
    .doc = "Primitive of one_hot."};

const OpDef bincount_op = {
    .name = "bincount",
    .inputs = {"x"},
    .attrs = {{"depth", AttrKind::integer, {}, true}},
    .infer = infer_bincount,
    .compose =
        [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
          return std::vector<ValueId>{e("bincount_rows", {as_index(e, x[0])}, a)};
        },
    .doc = "How often each number of [0, depth) occurs in each row of the last axis, int32; others are not counted."};
const OpDef bincount_rows_op = {.name = "bincount_rows",
                                .inputs = {"index"},
                                .attrs = {{"depth", AttrKind::integer, {}, true}},
                                .infer =
                                    [](InferContext& c) {
                                      need_index(c, 0);
                                      infer_bincount(c);
                                    },
                                .no_gradient = kNotDifferentiable,
                                .lower = lower_bincount,
                                .doc = "Primitive of bincount."};

const OpDef nonzero_with_size_op = {
    .name = "nonzero_with_size",
    .inputs = {"x"},
    .attrs = {{"size", AttrKind::integer}, {"fill_value", AttrKind::integer, int64_t{0}}},
    .num_outputs = 2,
    .promote = Promote::logical,
    .infer = infer_nonzero,
    .no_gradient = kNotDifferentiable,
    .lower = lower_nonzero,
    .doc =
        "The positions of what is not 0, in row-major order, as int32 (axes of x, size), cut or filled up with "
        "`fill_value` "
        "(`size` None: x.size), and how many there are."};

}  // namespace falconet
