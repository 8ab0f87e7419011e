#include "graph/batch_graph.h"

#include <algorithm>
#include <limits>

#include "graph/check_node.h"

namespace falconet {

namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max(), kSmallest = std::numeric_limits<int64_t>::min();

bool multiply(int64_t a, int64_t b, int64_t& product) {
  if (a != 0 && b != 0) {
    const bool fits =
        a > 0 ? (b > 0 ? a <= kLargest / b : b >= kSmallest / a) : (b > 0 ? a >= kSmallest / b : b >= kLargest / a);
    if (!fits) return false;
  }
  product = a * b;
  return true;
}

bool add(int64_t a, int64_t b, int64_t& sum) {
  if (b > 0 ? a > kLargest - b : a < kSmallest - b) return false;
  sum = a + b;
  return true;
}

Attr attr_at(const BatchAttr& attr, int64_t n, const std::vector<std::shared_ptr<VariableState>>& variables,
             const GraphLimits& limits) {
  struct Visit {
    int64_t n;
    const std::vector<std::shared_ptr<VariableState>>& variables;
    const GraphLimits& limits;
    Attr operator()(std::monostate) const { return {}; }
    Attr operator()(bool v) const { return v; }
    Attr operator()(const Affine& v) const { return v.at(n); }
    Attr operator()(double v) const { return v; }
    Attr operator()(const std::string& v) const { return v; }
    Attr operator()(DType v) const { return v; }
    Attr operator()(const AffineInts& v) const {
      Ints ints;
      ints.reserve(v.size());
      for (const Affine& a : v) ints.push_back(a.at(n));
      return ints;
    }
    Attr operator()(const std::shared_ptr<const BatchGraph>& v) const {
      return std::shared_ptr<const Graph>(v->at(n, variables, limits));
    }
  };
  return std::visit(Visit{n, variables, limits}, attr);
}

// What is left for the bodies of a node.
GraphLimits limits_inside(const BatchNode& node, int64_t n, const GraphLimits& limits) {
  const int which = node.op->steps_attr;
  if (which < 0) return limits;
  const Affine* steps = which < static_cast<int>(node.attrs.size()) ? std::get_if<Affine>(&node.attrs[which]) : nullptr;
  const int64_t count = steps ? steps->at(n) : -1;
  if (count < 0 || count > limits.loop_steps) {
    fail("[", node.op->name, "] `", node.op->attrs[which].name, "` is ", count,
         "; a saved loop needs a bound, and runs at most ", limits.loop_steps,
         " steps, those of loops around it multiplied");
  }
  GraphLimits inside = limits;
  inside.loop_steps /= std::max<int64_t>(count, 1);
  return inside;
}

}  // namespace

int64_t Affine::at(int64_t n) const {
  int64_t scaled = 0, sum = 0;
  if (!multiply(per_row, n, scaled) || !add(fixed, scaled, sum)) {
    fail("[graph] ", per_row, " * ", n, " + ", fixed, " does not fit 64 bits");
  }
  return sum;
}

Spec BatchSpec::at(int64_t n) const {
  Spec spec{dtype, {}};
  for (const Affine& a : shape) spec.shape.push_back(a.at(n));
  check_size(spec, "input", kMaxValueBytes);
  return spec;
}

int BatchGraph::num_values() const {
  int count = 0;
  for (const BatchNode& n : nodes) count += n.num_outputs;
  return count;
}

std::vector<const BatchNode*> BatchGraph::input_nodes() const {
  std::vector<const BatchNode*> found;
  static const OpDef* input = &op("input");
  for (const BatchNode& n : nodes) {
    if (n.op == input) found.push_back(&n);
  }
  return found;
}

std::unique_ptr<Graph> BatchGraph::at(int64_t n, const std::vector<std::shared_ptr<VariableState>>& variables,
                                      const GraphLimits& limits) const {
  if (n < 0) fail("[graph] a batch of ", n, " rows; it must not be negative");
  static const OpDef *input = &op("input"), *constant = &op("constant"), *variable = &op("variable");
  auto graph = std::make_unique<Graph>();
  std::vector<ValueId> map;
  map.reserve(num_values());
  const auto mapped = [&](ValueId v, const char* reader) {
    if (v < 0 || v >= static_cast<ValueId>(map.size())) {
      fail("[graph] ", reader, " reads value ", v, "; ", map.size(), " values come before it");
    }
    return map[v];
  };
  const auto variable_of = [&](int i) -> const std::shared_ptr<VariableState>& {
    if (i < 0 || i >= static_cast<int>(variables.size())) {
      fail("[graph] variable ", i, " is used; there are ", variables.size());
    }
    return variables[i];
  };
  for (const BatchNode& node : nodes) {
    if (node.op == input) {
      const Spec spec = node.leaf->spec.at(n);
      check_size(spec, "input", limits.value_bytes);
      map.push_back(graph->add_input(spec));
    } else if (node.op == constant) {
      const BatchLeaf& leaf = *node.leaf;
      map.push_back(leaf.array.buffer ? graph->add_constant(leaf.array)
                                      : graph->add_scalar(leaf.spec.dtype, static_cast<double>(leaf.scalar.at(n))));
    } else if (node.op == variable) {
      map.push_back(graph->read(variable_of(node.variable)));
    } else {
      std::vector<ValueId> inputs;
      inputs.reserve(node.inputs.size());
      std::vector<Spec> specs;
      specs.reserve(node.inputs.size());
      for (ValueId v : node.inputs) {
        inputs.push_back(mapped(v, node.op->name));
        specs.push_back(graph->spec(inputs.back()));
      }
      const GraphLimits inside = limits_inside(node, n, limits);
      Attrs attrs;
      attrs.reserve(node.attrs.size());
      for (const BatchAttr& a : node.attrs) attrs.push_back(attr_at(a, n, variables, inside));
      check_node(*node.op, attrs, specs);
      const ValueId first = graph->add(*node.op, std::move(attrs), std::move(inputs));
      const int made = graph->producer(first).num_outputs;
      if (made != node.num_outputs) {
        fail("[", node.op->name, "] has ", made, " results here; the graph counts ", node.num_outputs);
      }
      for (int o = 0; o < made; ++o) {
        check_size(graph->spec(first + o), node.op->name, limits.value_bytes);
        map.push_back(first + o);
      }
    }
  }
  for (ValueId v : outputs) graph->outputs.push_back(mapped(v, "an output"));
  for (const Update& u : updates) {
    const auto& state = variable_of(u.variable);
    const ValueId value = mapped(u.value, "an update");
    if (graph->spec(value) != state->array.spec) {
      fail("[graph] variable \"", state->name, "\" is ", state->array.spec, "; its update is ", graph->spec(value));
    }
    for (const Graph::Update& earlier : graph->updates) {
      if (earlier.variable == state) fail("[graph] variable \"", state->name, "\" is updated twice");
    }
    graph->updates.push_back({state, value});
  }
  return graph;
}

}  // namespace falconet
