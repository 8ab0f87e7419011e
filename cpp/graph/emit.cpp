#include "graph/emit.h"

namespace falconet {

std::vector<ValueId> Emitter::apply(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) {
  for (size_t i = attrs.size(); i < op.attrs.size(); ++i) attrs.push_back(op.attrs[i].fallback);
  if (op.promote != Promote::none && !inputs.empty()) {
    const size_t first = op.promote == Promote::last_two ? 1 : 0;
    if (first == 1) inputs[0] = cast(inputs[0], DType::boolean);
    std::vector<DType> dtypes;
    for (size_t i = first; i < inputs.size(); ++i) dtypes.push_back(dtype(inputs[i]));
    const DType common = operand_dtype(op, dtypes.data(), static_cast<int>(dtypes.size()));
    for (size_t i = first; i < inputs.size(); ++i) inputs[i] = cast(inputs[i], common);
  }
  if (op.compose) {
    std::vector<Spec> specs;
    for (ValueId v : inputs) specs.push_back(spec(v));
    InferContext infer(op, attrs, specs);
    op.infer(infer);  // checks, under the composite's own name
    return op.compose(*this, attrs, inputs);
  }
  const ValueId first = record(op, std::move(attrs), std::move(inputs));
  std::vector<ValueId> outputs(graph.producer(first).num_outputs);
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = first + static_cast<ValueId>(i);
  return outputs;
}

ValueId Emitter::operator()(std::string_view name, std::vector<ValueId> inputs, Attrs attrs) {
  return (*this)(op(name), std::move(attrs), std::move(inputs));
}

ValueId Emitter::cast(ValueId a, DType to) {
  return dtype(a) == to ? a : (*this)("cast", {a}, {to});
}

ValueId Emitter::reshape(ValueId a, const Shape& to) {
  return shape(a) == to ? a : (*this)("reshape", {a}, {Ints(to.begin(), to.end())});
}

ValueId Emitter::transpose(ValueId a, const Ints& axes) {
  bool identity = true;
  for (size_t i = 0; i < axes.size(); ++i) identity &= axes[i] == static_cast<int64_t>(i);
  return identity ? a : (*this)("transpose", {a}, {axes});
}

ValueId Emitter::broadcast_to(ValueId a, const Shape& to) {
  return shape(a) == to ? a : (*this)("broadcast_to", {a}, {Ints(to.begin(), to.end())});
}

ValueId Emitter::sum(ValueId a, const Ints& axes, bool keepdims) {
  return axes.empty() ? a : (*this)("sum", {a}, {axes, keepdims});
}

ValueId Emitter::sum_to(ValueId a, const Shape& to) {
  const Shape& from = shape(a);
  if (from == to) return a;
  const int lead = from.rank() - to.rank();
  Ints axes;
  for (int i = 0; i < from.rank(); ++i) {
    if (i < lead || (to[i - lead] == 1 && from[i] != 1)) axes.push_back(i);
  }
  return reshape(sum(a, axes, false), to);
}

}  // namespace falconet
