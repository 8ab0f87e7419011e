#include "graph/check_node.h"

#include "graph/promote.h"

namespace falconet {

namespace {

bool has_kind(const Attr& attr, AttrKind kind) {
  switch (kind) {
    case AttrKind::boolean:
      return std::holds_alternative<bool>(attr);
    case AttrKind::integer:
      return std::holds_alternative<int64_t>(attr);
    case AttrKind::real:
      return std::holds_alternative<double>(attr);
    case AttrKind::text:
      return std::holds_alternative<std::string>(attr);
    case AttrKind::ints:
      return std::holds_alternative<Ints>(attr);
    case AttrKind::dtype:
      return std::holds_alternative<DType>(attr);
    case AttrKind::graph:
      return std::holds_alternative<std::shared_ptr<const Graph>>(attr);
    case AttrKind::callback:
      return std::holds_alternative<std::shared_ptr<const Callback>>(attr);
  }
  return false;
}

void check_dtypes(const OpDef& op, const std::vector<Spec>& inputs) {
  if (op.promote == Promote::none || inputs.empty()) return;
  const size_t first = op.promote == Promote::last_two ? 1 : 0;
  if (first == 1 && inputs[0].dtype != DType::boolean) {
    fail<TypeError>("[", op.name, "] the condition must be bool, got ", name_of(inputs[0].dtype));
  }
  std::vector<DType> dtypes;
  for (size_t i = first; i < inputs.size(); ++i) dtypes.push_back(inputs[i].dtype);
  const DType common = operand_dtype(op, dtypes.data(), static_cast<int>(dtypes.size()));
  for (DType d : dtypes) {
    if (d != common) fail<TypeError>("[", op.name, "] operands must be ", name_of(common), ", got ", name_of(d));
  }
}

}  // namespace

void check_size(const Spec& spec, const char* what, int64_t limit) {
  int64_t bytes = size_of(spec.dtype);
  bool fits = true, empty = false;
  for (int64_t d : spec.shape) {
    if (d < 0) fail("[", what, "] the shape ", spec.shape, " has a negative size");
    empty |= d == 0;
    // An empty value is bounded without its zeros too: strides are products of the other sizes.
    if (d > 0) {
      fits = fits && bytes <= limit / d;
      if (fits) bytes *= d;
    }
  }
  if (!fits) {
    fail("[", what, "] a value of ", name_of(spec.dtype), " and shape ", spec.shape,
         empty ? " (were it not empty)" : "", " has more than the ", limit, " bytes that are allowed");
  }
}

void check_node(const OpDef& op, const Attrs& attrs, const std::vector<Spec>& inputs) {
  if (op.is_leaf || op.compose || !op.infer) fail("[", op.name, "] is no op of a recorded graph");
  const size_t declared = op.inputs.size();
  if (op.variadic() ? inputs.size() < declared : inputs.size() != declared) {
    fail("[", op.name, "] has ", inputs.size(), " operands; it takes ", op.variadic() ? "at least " : "", declared);
  }
  if (attrs.size() > op.attrs.size()) {
    fail("[", op.name, "] has ", attrs.size(), " attributes; it takes ", op.attrs.size());
  }
  for (size_t i = 0; i < op.attrs.size(); ++i) {
    const AttrDef& def = op.attrs[i];
    const Attr& attr = i < attrs.size() ? attrs[i] : def.fallback;
    const bool absent = std::holds_alternative<std::monostate>(attr);
    // None stands for itself only where leaving the attribute out means it.
    const bool may_be_none = !def.required && std::holds_alternative<std::monostate>(def.fallback);
    if (absent ? !may_be_none : !has_kind(attr, def.kind)) {
      fail<TypeError>("[", op.name, "] `", def.name, "` is ", attr_text(attr), ", which is not what it takes");
    }
  }
  check_dtypes(op, inputs);
}

}  // namespace falconet
