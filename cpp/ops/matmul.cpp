// Matrix products.
//
// `matmul` has NumPy's semantics; it becomes `gemm`, on float32 or float64 operands of two axes or of equal batches.
//   c = op(a) op(b):   da = dc op(b)^T (transposed if a is),   db = op(a)^T dc (transposed if b is)
// so the gradients are products with other flags, and no operand is ever transposed in memory.
#include "ops/rules.h"

namespace falconet {

namespace {

// Shapes of the two operands as stacks of matrices; checks that they fit.
void infer_matmul(InferContext& c) {
  const Shape &a = c.in(0).shape, &b = c.in(1).shape;
  c.check(a.rank() >= 1 && b.rank() >= 1, "x1 has shape ", a, " and x2 has ", b, "; both need at least 1 axis");
  const int64_t inner_a = a.back(), inner_b = b.rank() == 1 ? b[0] : b[-2];
  c.check(inner_a == inner_b, "inner sizes differ: x1 is ", a, ", x2 is ", b, "; x1.shape[-1] must equal ",
          b.rank() == 1 ? "x2.shape[-1]" : "x2.shape[-2]",
          b.rank() >= 2 && b.back() == inner_a ? ". A transposed x2 would fit" : "");
  Shape batch_a, batch_b;
  for (int d = 0; d < a.rank() - 2; ++d) batch_a.push_back(a[d]);
  for (int d = 0; d < b.rank() - 2; ++d) batch_b.push_back(b[d]);
  for (int k = 1; k <= std::min(batch_a.rank(), batch_b.rank()); ++k) {
    c.check(batch_a[-k] == batch_b[-k] || batch_a[-k] == 1 || batch_b[-k] == 1, "batch axes of x1 ", a, " and x2 ", b,
            " cannot be broadcast together");
  }
  Shape out = broadcast_shapes(batch_a, batch_b);
  if (a.rank() >= 2) out.push_back(a[-2]);
  if (b.rank() >= 2) out.push_back(b.back());
  // Products of int8 are summed in 32 bits, as in Keras.
  c.set_out(c.in(0).dtype == DType::int8 ? DType::int32 : c.in(0).dtype, out);
}

// Integers: products summed exactly, without a kernel of their own.
ValueId integer_product(Emitter& e, ValueId a, ValueId b) {
  Shape left = e.shape(a), right = e.shape(b);
  left.push_back(1);
  right.insert(right.rank() - 2, 1);
  const ValueId products = e.mul(e.reshape(a, left), e.reshape(b, right));
  return e.cast(e.sum(products, {e.shape(products).rank() - 2}, false), e.dtype(a));
}

std::vector<ValueId> compose_matmul(Emitter& e, const Attrs&, const std::vector<ValueId>& x) {
  ValueId a = x[0], b = x[1];
  DType result = e.dtype(a);
  Shape out;
  {
    Attrs none;
    const std::vector<Spec> specs = {e.spec(a), e.spec(b)};
    InferContext infer(matmul_op, none, specs);
    infer_matmul(infer);
    out = infer.out()[0].shape;
    result = infer.out()[0].dtype;
  }
  if (e.shape(a).rank() == 1) a = e.reshape(a, {1, e.shape(a)[0]});
  if (e.shape(b).rank() == 1) b = e.reshape(b, {e.shape(b)[0], 1});
  a = e.cast(a, result);
  b = e.cast(b, result);
  if (!is_float(result)) return {e.reshape(integer_product(e, a, b), out)};
  const DType compute = result == DType::float64 ? DType::float64 : DType::float32;
  a = e.cast(a, compute);
  b = e.cast(b, compute);
  // A stack of matrices times one matrix is one tall product.
  if (e.shape(b).rank() == 2 && e.shape(a).rank() > 2) {
    const int64_t k = e.shape(a).back();
    a = e.reshape(a, {k == 0 ? Shape(e.shape(a)).size() : e.shape(a).size() / k, k});
  }
  return {e.cast(e.reshape(e("gemm", {a, b}, {false, false}), out), result)};
}

struct Product {
  int64_t m, n, k;
  Shape batch;
};

Product product_of(const Shape& a, const Shape& b, bool ta, bool tb) {
  Shape batch_a, batch_b;
  for (int d = 0; d < a.rank() - 2; ++d) batch_a.push_back(a[d]);
  for (int d = 0; d < b.rank() - 2; ++d) batch_b.push_back(b[d]);
  return {ta ? a[-1] : a[-2], tb ? b[-2] : b[-1], ta ? a[-2] : a[-1], broadcast_shapes(batch_a, batch_b)};
}

void infer_gemm(InferContext& c) {
  const bool ta = c.attr<bool>(0), tb = c.attr<bool>(1);
  const Shape &a = c.in(0).shape, &b = c.in(1).shape;
  c.check(a.rank() >= 2 && b.rank() >= 2, "x1 has shape ", a, " and x2 has ", b, "; both need at least 2 axes");
  const Product p = product_of(a, b, ta, tb);
  c.check(p.k == (tb ? b[-1] : b[-2]), "inner sizes differ: x1 is ", a, ", x2 is ", b);
  const DType dtype = c.in(0).dtype;
  if ((dtype != DType::float32 && dtype != DType::float64) || c.in(1).dtype != dtype) {
    c.refuse_type("needs two operands of float32 or of float64, got ", name_of(dtype), " and ", name_of(c.in(1).dtype));
  }
  Shape out = p.batch;
  out.push_back(p.m);
  out.push_back(p.n);
  c.set_out(dtype, out);
}

void gemm_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const bool ta = c.node.attr<bool>(0), tb = c.node.attr<bool>(1);
  const ValueId a = c.x(0), b = c.x(1), dc = c.dy();
  if (c.wants(0)) c.set(0, ta ? e("gemm", {b, dc}, {tb, true}) : e("gemm", {dc, b}, {false, !tb}));
  if (c.wants(1)) c.set(1, tb ? e("gemm", {dc, a}, {true, ta}) : e("gemm", {a, dc}, {!ta, false}));
}

// Offsets of each matrix of a broadcast batch.
const int64_t* batch_offsets(Lowering& l, const Shape& batch, const Shape& operand) {
  const Shape own = contiguous_strides(operand);
  const int lead = batch.rank() - (operand.rank() - 2);
  std::vector<int64_t> offsets(batch.size());
  for (int64_t i = 0; i < batch.size(); ++i) {
    int64_t rest = i, at = 0;
    for (int d = batch.rank() - 1; d >= 0; --d) {
      const int64_t index = rest % batch[d];
      rest /= batch[d];
      if (d >= lead && operand[d - lead] != 1) at += index * own[d - lead];
    }
    offsets[i] = at;
  }
  return l.keep(offsets.data(), batch.size());
}

void lower_gemm(Lowering& l) {
  const Shape &a = l.in_spec(0).shape, &b = l.in_spec(1).shape;
  const bool ta = l.node().attr<bool>(0), tb = l.node().attr<bool>(1);
  const Product p = product_of(a, b, ta, tb);
  const Spec& out = l.out_spec();
  const FusedEpilogue epilogue = l.epilogue();
  if (p.k == 0) {
    auto& fill = l.emit<FillArgs>(l.kernels.move.fill[element_size_log2(size_of(out.dtype))], fill_units(out.size()), kFillBlock);
    fill.count = out.size();
    l.bind(fill.y, l.out());
    return;
  }
  GemmProblem problem;
  problem.m = p.m;
  problem.n = p.n;
  problem.k = p.k;
  problem.trans_a = ta;
  problem.trans_b = tb;
  problem.lda = a.back();
  problem.ldb = b.back();
  problem.ldc = p.n;
  problem.batch = p.batch.size();
  GemmArgs args;
  args.plan = l.kernels.gemm.plan(out.dtype, problem, l.threads);
  if (problem.batch > 1) {
    args.a_offset = batch_offsets(l, p.batch, a);
    args.b_offset = batch_offsets(l, p.batch, b);
    args.c_offset = batch_offsets(l, p.batch, out.shape);
  }
  args.relu = epilogue.relu;
  // What would be packed in each run is asked for packed: a matrix in small or few-row products is read as it lies.
  std::shared_ptr<VariableState> packed;
  if (args.plan.scratch_bytes > 0 && problem.batch == 1 && args.plan.splits == 1) {
    packed = l.packed(1, {out.dtype, p.k, p.n, problem.ldb, tb, nullptr, nullptr});
    if (packed) {
      problem.prepacked_b = true;
      args.plan = l.kernels.gemm.plan(out.dtype, problem, l.threads);
    }
  }
  const Ref scratch = args.plan.scratch_bytes > 0 ? l.scratch(args.plan.scratch_bytes) : Ref{};
  const auto bind = [&](GemmArgs& bound) {
    l.bind(bound.a, l.in(0));
    if (packed) {
      l.bind_variable(bound.b, packed);
    } else {
      l.bind(bound.b, l.in(1));
    }
    if (scratch.id >= 0) l.bind(bound.scratch, scratch);
  };
  const int64_t flops = 2 * problem.batch * p.m * p.n * p.k;
  if (args.plan.splits > 1) {
    bind(l.emit<GemmArgs>(l.kernels.gemm.pack, args.plan.pack_units, flops / args.plan.pack_units, args));
  } else if (args.plan.pack_units > 0) {
    // Packing moves each element twice, out of order: worth about eight flops each.
    const int64_t moved = args.plan.pack_elements;
    bind(l.emit<GemmArgs>(l.kernels.gemm.pack, args.plan.pack_units, 8 * moved / args.plan.pack_units + 1, args));
    l.describe("pack", 0, 2 * moved * static_cast<int64_t>(size_of(out.dtype)));
  }
  auto& run = l.emit<GemmArgs>(l.kernels.gemm.run, args.plan.units, args.plan.unit_flops, args);
  bind(run);
  if (args.plan.splits > 1) {
    l.describe("add parts", args.plan.splits * p.m * p.n);
  } else {
    l.describe(l.node().op->name, flops);
  }
  l.bind(run.c, epilogue.destination.id >= 0 ? epilogue.destination : l.out());
  if (epilogue.bias.id >= 0) l.bind(run.bias, epilogue.bias);
  if (epilogue.gate.id >= 0) l.bind(run.gate, epilogue.gate);
  l.attach_epilogue(run);
}

}  // namespace

const OpDef matmul_op = {
    .name = "matmul", .inputs = {"x1", "x2"}, .promote = Promote::common, .infer = infer_matmul, .compose = compose_matmul,
    .doc = "Matrix product with NumPy's rules: vectors are rows or columns, further axes are batches."};

const OpDef gemm_op = {
    .name = "gemm", .inputs = {"x1", "x2"},
    .attrs = {{"transpose_a", AttrKind::boolean, false}, {"transpose_b", AttrKind::boolean, false}},
    .infer = infer_gemm, .gradient = gemm_gradient, .lower = lower_gemm, .takes_epilogue = true,
    .doc = "Product of float matrices, either of which may be stored transposed; batches broadcast."};

}  // namespace falconet
