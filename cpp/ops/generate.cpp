// Values that depend on an element's number alone: ranges and counter-based random numbers.
//
// A seed is two uint32 words, the 64-bit key of a Philox stream (kernels/pointwise.h says which words an element takes).
#include "ops/rules.h"

namespace falconet {

namespace {

OpDef generator(const char* name, Micro micro, const char* doc) {
  OpDef op;
  op.name = name;
  op.attrs = {{"shape", AttrKind::ints, {}, true}, {"dtype", AttrKind::dtype, DType::float32}};
  op.no_gradient = "it does not depend on floating-point inputs";
  op.pointwise = true;
  op.uses_index = true;
  op.micro = micro;
  op.doc = doc;
  return op;
}

void set_shape(InferContext& c) {
  const Ints& dims = c.attr<Ints>(0);
  for (int64_t d : dims) c.check(d >= 0, "`shape` is ", attr_text(dims), "; sizes must not be negative");
  c.set_out(c.attr<DType>(1), Shape(dims.begin(), dims.end()));
}

OpDef random(const char* name, Micro micro, const char* doc) {
  OpDef op = generator(name, micro, doc);
  op.inputs = {"seed"};
  op.infer = [](InferContext& c) {
    if (c.in(0).dtype != DType::uint32) c.refuse_type("`seed` must be uint32, got ", name_of(c.in(0).dtype));
    c.check(c.in(0).shape == Shape{2}, "`seed` must have shape (2,), got ", c.in(0).shape);
    if (!is_float(c.attr<DType>(1))) c.refuse_type("`dtype` must be a floating-point type, got ", name_of(c.attr<DType>(1)));
    set_shape(c);
  };
  op.tile = [](TileEmitter& t) { return t.emit(t.node.op->micro, lane_of(t.out_dtype()), t.pointer(0)); };
  return op;
}

}  // namespace

const OpDef iota_op = [] {
  OpDef op = generator("iota", Micro::iota, "0, 1, 2, ... in row-major order of `shape`.");
  op.infer = [](InferContext& c) {
    if (c.attr<DType>(1) == DType::boolean) c.refuse_type("`dtype` must be a number type, got bool");
    set_shape(c);
  };
  op.tile = [](TileEmitter& t) { return t.emit(Micro::iota, lane_of(t.out_dtype())); };
  return op;
}();

const OpDef random_uniform_op = random("random_uniform", Micro::random_uniform,
    "Uniform in [0, 1): 24 random bits for float32, 53 for float64.");
const OpDef random_normal_op = random("random_normal", Micro::random_normal, "Normal with mean 0 and deviation 1.");
const OpDef random_bits_op = [] {
  OpDef op = random("random_bits", Micro::random_bits, "Integers of which every bit is random.");
  op.attrs[1].fallback = DType::int32;
  op.infer = [](InferContext& c) {
    if (c.in(0).dtype != DType::uint32) c.refuse_type("`seed` must be uint32, got ", name_of(c.in(0).dtype));
    c.check(c.in(0).shape == Shape{2}, "`seed` must have shape (2,), got ", c.in(0).shape);
    if (!is_integer(c.attr<DType>(1))) c.refuse_type("`dtype` must be an integer type, got ", name_of(c.attr<DType>(1)));
    set_shape(c);
  };
  return op;
}();

}  // namespace falconet
