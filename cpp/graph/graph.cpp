#include "graph/graph.h"

#include "graph/check_node.h"

namespace falconet {

const char* InferContext::op_name() const { return op_.name; }

int InferContext::axis(int attr_index, int rank) const {
  const int64_t axis = attr<int64_t>(attr_index);
  check(axis >= -rank && axis < rank, "`", op_.attrs[attr_index].name, "` is ", axis, "; the input has ", rank,
        rank == 1 ? " axis" : " axes");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

ValueId Graph::append(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs, const std::vector<Spec>& outputs) {
  const int node = static_cast<int>(nodes_.size());
  const ValueId first = num_values();
  nodes_.push_back({&op, std::move(attrs), std::move(inputs), first, static_cast<int>(outputs.size()), {}, nullptr});
  for (const Spec& spec : outputs) values_.push_back({spec, node});
  return first;
}

ValueId Graph::add(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) {
  std::vector<Spec> specs;
  specs.reserve(inputs.size());
  for (ValueId v : inputs) specs.push_back(values_[v].spec);
  for (size_t i = attrs.size(); i < op.attrs.size(); ++i) attrs.push_back(op.attrs[i].fallback);
  InferContext infer(op, attrs, specs);
  op.infer(infer);
  for (const Spec& made : infer.out()) check_size(made, op.name, kMaxValueBytes);
  return append(op, std::move(attrs), std::move(inputs), infer.out());
}

ValueId Graph::add_input(const Spec& spec) {
  static const OpDef& input = falconet::op("input");
  inputs.push_back(append(input, {}, {}, {spec}));
  return inputs.back();
}

ValueId Graph::add_constant(Array array) {
  static const OpDef& constant = falconet::op("constant");
  const ValueId v = append(constant, {}, {}, {array.spec});
  nodes_.back().constant = std::move(array);
  return v;
}

ValueId Graph::add_scalar(DType dtype, double value) {
  Array array = Array::allocate({dtype, {}});
  write_scalar(array.data(), dtype, value);
  return add_constant(std::move(array));
}

ValueId Graph::read(const std::shared_ptr<VariableState>& variable) {
  if (const auto it = reads_.find(variable.get()); it != reads_.end()) return it->second;
  ValueId v;
  if (parent) {
    v = capture(parent->read(variable));
  } else {
    static const OpDef& leaf = falconet::op("variable");
    v = append(leaf, {}, {}, {variable->array.spec});
    nodes_.back().variable = variable;
  }
  reads_[variable.get()] = v;
  return v;
}

void Graph::assign(const std::shared_ptr<VariableState>& variable, ValueId value) {
  if (parent) {
    fail("variable \"", variable->name, "\" is assigned inside the body of a loop or branch; return the new value "
         "from the body and assign it outside");
  }
  const Spec &have = spec(value), &want = variable->array.spec;
  if (have != want) {
    fail("variable \"", variable->name, "\" is ", want, " and cannot be assigned ", have);
  }
  for (Update& u : updates) {
    if (u.variable == variable) {
      u.value = reads_[variable.get()] = value;
      return;
    }
  }
  updates.push_back({variable, value});
  reads_[variable.get()] = value;
  // Views of an assigned flat variable must see the new values from here on.
  std::vector<std::pair<const VariableState*, std::shared_ptr<VariableState>>> stale;
  for (const Node& n : nodes_) {
    if (n.variable && n.variable->flat == variable) stale.push_back({n.variable.get(), n.variable});
  }
  static const OpDef& slice = falconet::op("slice");
  static const OpDef& reshape = falconet::op("reshape");
  for (auto& [key, view] : stale) {
    const int64_t begin = view->flat_begin, end = begin + view->array.spec.size();
    const ValueId part = add(slice, {Ints{begin}, Ints{end}, Ints{1}}, {value});
    const Shape& shape = view->array.spec.shape;
    reads_[key] = add(reshape, {Ints(shape.begin(), shape.end())}, {part});
  }
}

ValueId Graph::leaf(const std::shared_ptr<VariableState>& variable) const {
  for (const Node& n : nodes_) {
    if (n.variable == variable) return n.output();
  }
  return kNoValue;
}

ValueId Graph::capture(ValueId outer) {
  for (const Capture& c : captures) {
    if (c.outer == outer) return c.inner;
  }
  const ValueId inner = add_input(parent->spec(outer));
  captures.push_back({outer, inner});
  return inner;
}

void Graph::verify() const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    std::vector<Spec> specs;
    for (ValueId v : n.inputs) {
      if (v < 0 || v >= n.first_output) fail<InternalError>("node ", i, " (", n.op->name, ") reads value ", v, " too early");
      specs.push_back(spec(v));
    }
    if (n.op->is_leaf) continue;
    Attrs attrs = n.attrs;
    InferContext infer(*n.op, attrs, specs);
    n.op->infer(infer);
    for (int o = 0; o < n.num_outputs; ++o) {
      if (infer.out()[o] != spec(n.output(o))) {
        fail<InternalError>("node ", i, " (", n.op->name, ") holds ", spec(n.output(o)), ", its rule says ", infer.out()[o]);
      }
    }
  }
}

std::string Graph::text() const {
  std::string text;
  for (const Node& n : nodes_) {
    for (int o = 0; o < n.num_outputs; ++o) text += (o ? ", %" : "%") + std::to_string(n.output(o));
    text += ": " + join_text(spec(n.first_output)) + " = " + n.op->name + "(";
    bool first = true;
    for (ValueId v : n.inputs) {
      text += (first ? "%" : ", %") + std::to_string(v);
      first = false;
    }
    for (size_t i = 0; i < n.attrs.size(); ++i) {
      text += (first ? "" : ", ") + std::string(n.op->attrs[i].name) + "=" + attr_text(n.attrs[i]);
      first = false;
    }
    if (n.variable) text += n.variable->name;
    if (n.constant.buffer && n.constant.spec.size() == 1) {
      text += attr_text(read_scalar(n.constant.data(), n.constant.spec.dtype));
    }
    text += ")\n";
  }
  text += "outputs:";
  for (ValueId v : outputs) text += " %" + std::to_string(v);
  text += "\n";
  for (const Update& u : updates) text += "update " + u.variable->name + " <- %" + std::to_string(u.value) + "\n";
  return text;
}

}  // namespace falconet
