// Padding: a constant around x, or what x itself continues with.
//
//   reflect    d c b | a b c d | c b a      symmetric  c b a | a b c d | d c b
//   edge       a a a | a b c d | d d d      wrap       b c d | a b c d | a b c
//
// The last four are a gather along each padded axis by indices fixed when the graph is made, so their gradient adds
// what was read several times.
#include "ops/tools.h"

namespace falconet {

namespace {

constexpr const char* kModes[] = {"reflect", "symmetric", "edge", "wrap"};  // in the order of PadMode

Shape padded_shape(InferContext& c) {
  const Ints &low = c.attr<Ints>(0), &high = c.attr<Ints>(1);
  Shape shape = c.in(0).shape;
  const size_t rank = shape.rank();
  c.check(low.size() == rank && high.size() == rank, "`low` and `high` have ", low.size(), " and ", high.size(),
          " numbers; an input of shape ", shape, " needs ", rank, " each");
  for (size_t d = 0; d < rank; ++d) {
    constexpr int64_t kMost = int64_t{1} << 46;  // keeps their sum in 64 bits
    c.check(low[d] >= 0 && high[d] >= 0 && low[d] <= kMost && high[d] <= kMost, "`low` is ", attr_text(low),
            " and `high` ", attr_text(high), "; padding must not be negative, nor more than 2^46");
    shape[static_cast<int>(d)] += low[d] + high[d];
  }
  return shape;
}

void infer_pad(InferContext& c) {
  const std::string& mode = c.attr<std::string>(2);
  bool known = mode == "constant";
  for (const char* m : kModes) known |= mode == m;
  c.check(known, "`mode` is \"", mode,
          "\"; it must be one of \"constant\", \"reflect\", \"symmetric\", \"edge\", \"wrap\"");
  const Shape out = padded_shape(c), &from = c.in(0).shape;
  for (int d = 0; d < from.rank(); ++d) {
    c.check(mode == "constant" || from[d] > 0 || out[d] == 0, "an input of shape ", from, " is empty along axis ", d,
            " and can be padded with constants only");
  }
  c.set_out(c.in(0).dtype, out);
}

std::vector<ValueId> compose_pad(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Ints &low = std::get<Ints>(attrs[0]), &high = std::get<Ints>(attrs[1]);
  const std::string& mode = std::get<std::string>(attrs[2]);
  if (mode == "constant") return {e("pad_constant", inputs, {low, high, attrs[3]})};
  int number = 0;
  while (mode != kModes[number]) ++number;
  ValueId x = inputs[0];
  for (size_t d = 0; d < low.size(); ++d) {
    if (low[d] == 0 && high[d] == 0) continue;
    const int64_t n = e.shape(x)[static_cast<int>(d)];
    Array index = Array::allocate({DType::int64, {low[d] + n + high[d]}});
    pad_index_map(static_cast<PadMode>(number), n, low[d], high[d], reinterpret_cast<int64_t*>(index.data()));
    x = e("gather", {x, e.graph.add_constant(std::move(index))}, {static_cast<int64_t>(d)});
  }
  return {x};
}

void lower_pad_constant(Lowering& l) {
  const Spec& out = l.out_spec();
  const Shape &from = l.in_spec(0).shape, to = contiguous_strides(out.shape);
  if (from != out.shape) emit_fill(l, l.out(), out, l.node().attr<double>(2));
  int64_t first = 0;
  for (int d = 0; d < from.rank(); ++d) first += l.node().attr<Ints>(0)[d] * to[d];
  emit_strided_copy(l, out.dtype, l.in(0), l.out() + first * size_of(out.dtype), from, contiguous_strides(from), to);
}

}  // namespace

const OpDef pad_op = {
    .name = "pad",
    .inputs = {"x"},
    .attrs = {{"low", AttrKind::ints, {}, true},
              {"high", AttrKind::ints, {}, true},
              {"mode", AttrKind::text, std::string("constant")},
              {"value", AttrKind::real, 0.0}},
    .infer = infer_pad,
    .compose = compose_pad,
    .doc =
        "x with low[d] elements before and high[d] after it on each axis d: `value`, or x continued by reflection "
        "(\"reflect\" without, \"symmetric\" with the edge), its edge, or from the other end (\"wrap\")."};

const OpDef pad_constant_op = {
    .name = "pad_constant",
    .inputs = {"x"},
    .attrs = {{"low", AttrKind::ints, {}, true}, {"high", AttrKind::ints, {}, true}, {"value", AttrKind::real, 0.0}},
    .infer =
        [](InferContext& c) {
          const Shape out = padded_shape(c);
          c.set_out(c.in(0).dtype, out);
        },
    .gradient =
        [](GradientContext& c) {
          const Shape shape = c.e.shape(c.x());
          const Ints& low = c.node.attr<Ints>(0);
          Ints stop = low;
          for (size_t d = 0; d < stop.size(); ++d) stop[d] += shape[static_cast<int>(d)];
          c.set(0, c.e("slice", {c.dy()}, {low, stop, Ints(low.size(), 1)}));
        },
    .lower = lower_pad_constant,
    .doc = "Primitive of pad."};

}  // namespace falconet
