// A branch whose sides are graphs, gradients given by a function, and what control.h declares.
#include "ops/control.h"

namespace falconet {

std::vector<ValueId> inline_body(Graph& to, const Graph& body, const std::vector<ValueId>& inputs) {
  std::vector<ValueId> map(body.num_values(), kNoValue);
  for (size_t i = 0; i < body.inputs.size(); ++i) map[body.inputs[i]] = inputs[i];
  for (const Node& n : body.nodes()) {
    if (n.op == &input_op) continue;
    if (n.constant.buffer) {
      map[n.output()] = to.add_constant(n.constant);
      continue;
    }
    std::vector<ValueId> operands;
    for (ValueId v : n.inputs) operands.push_back(map[v]);
    const ValueId first = to.add(*n.op, n.attrs, std::move(operands));
    for (int o = 0; o < n.num_outputs; ++o) map[n.output(o)] = first + o;
  }
  std::vector<ValueId> outputs;
  for (ValueId v : body.outputs) outputs.push_back(map[v]);
  return outputs;
}

std::vector<ValueId> zeros_where_absent(Emitter& e, std::vector<ValueId> gradients, const std::vector<ValueId>& like) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i] == kNoValue) gradients[i] = e.zeros_like(like[i]);
  }
  return gradients;
}

void check_operand(InferContext& c, const Graph& body, int input, const Spec& came, const char* what) {
  const Spec& want = body.spec(body.inputs[input]);
  c.check(want == came, what, " was recorded for ", want, " as operand ", input, ", ", came, " came");
}

int count_attr(InferContext& c, int attr, const char* name, size_t most) {
  const int64_t count = c.attr<int64_t>(attr);
  c.check(count >= 0 && count <= static_cast<int64_t>(most), "`", name, "` is ", count, "; 0 to ", most,
          " are possible here");
  return static_cast<int>(count);
}

BodyArgs make_body(Lowering& l, const Graph& body) {
  BodyArgs a;
  a.plan = l.sub_plan(body);
  a.num_inputs = static_cast<int>(body.inputs.size());
  a.num_outputs = static_cast<int>(body.outputs.size());
  const std::vector<void*> empty(std::max(a.num_inputs, a.num_outputs) + 1, nullptr);
  a.inputs = const_cast<const void**>(l.keep(empty.data(), static_cast<int64_t>(empty.size())));
  a.outputs = l.keep(empty.data(), static_cast<int64_t>(empty.size()));
  return a;
}

namespace {

void check_body(InferContext& c, const Graph& body, int first, int count, const char* what) {
  c.check(static_cast<int>(body.inputs.size()) == count, what, " takes ", body.inputs.size(), " operands, ", count,
          " came");
  for (int i = 0; i < count; ++i) check_operand(c, body, i, c.in(first + i), what);
}

// --- cond ---

struct CondArgs {
  const uint8_t* pred = nullptr;
  BodyArgs then, other;
};

void run_cond(const void* args, int64_t, int64_t) {
  const CondArgs& a = *static_cast<const CondArgs*>(args);
  const BodyArgs& b = *a.pred ? a.then : a.other;
  b.plan->run(b.inputs, b.outputs);
}

void infer_cond(InferContext& c) {
  const Graph &then = *c.attr<Body>(0), &other = *c.attr<Body>(1);
  const int num_true = count_attr(c, 2, "num_true", static_cast<size_t>(c.num_inputs() - 1));
  c.check(c.in(0).dtype == DType::boolean && c.in(0).shape.empty(), "the condition must be a bool scalar, got ",
          c.in(0));
  check_body(c, then, 1, num_true, "true_fn");
  check_body(c, other, 1 + num_true, c.num_inputs() - 1 - num_true, "false_fn");
  c.check(then.outputs.size() == other.outputs.size(), "the branches return ", then.outputs.size(), " and ",
          other.outputs.size(), " values");
  for (size_t i = 0; i < then.outputs.size(); ++i) {
    const Spec &p = then.spec(then.outputs[i]), &q = other.spec(other.outputs[i]);
    c.check(p == q, "the branches return ", p, " and ", q, " as result ", i);
    c.set_out(p.dtype, p.shape);
  }
}

void lower_cond(Lowering& l) {
  const Graph &then = body_of(l.node(), 0), &other = body_of(l.node(), 1);
  CondArgs args;
  args.then = make_body(l, then);
  args.other = make_body(l, other);
  auto& a = l.emit<CondArgs>(run_cond, 1, 1, args);
  l.bind(a.pred, l.in(0));
  int at = 1;
  for (const BodyArgs* b : {&a.then, &a.other}) {
    for (int i = 0; i < b->num_inputs; ++i) l.bind(b->inputs[i], l.in(at++));
    for (int i = 0; i < b->num_outputs; ++i) l.bind(b->outputs[i], l.out(i));
  }
}

void cond_gradient(GradientContext& c) {
  const Graph &then = body_of(c.node, 0), &other = body_of(c.node, 1);
  const int num_true = static_cast<int>(c.node.attr<int64_t>(2)), num_inputs = static_cast<int>(c.node.inputs.size());
  std::vector<ValueId> dys;
  std::vector<int> outputs, wanted;
  for (int o = 0; o < c.node.num_outputs; ++o) {
    if (!differentiable(c.e.spec(c.y(o)))) continue;
    outputs.push_back(o);
    dys.push_back(c.dy(o));
  }
  for (int i = 1; i < num_inputs; ++i) {
    if (c.wants(i) && differentiable(c.e.spec(c.x(i)))) wanted.push_back(i);
  }
  if (wanted.empty()) return;
  // Each branch gives a gradient for every wanted capture: zeros for those of the other branch.
  const auto branch = [&](const Graph& body, int first, int count) {
    auto graph = std::make_shared<Graph>();
    Emitter e(*graph);
    std::vector<ValueId> captures, seeds, targets;
    for (int i = 0; i < count; ++i) captures.push_back(graph->add_input(c.e.spec(c.x(first + i))));
    for (ValueId d : dys) seeds.push_back(graph->add_input(c.e.spec(d)));
    const std::vector<ValueId> results = inline_body(*graph, body, captures);
    for (int o : outputs) targets.push_back(results[o]);
    std::vector<ValueId> sources;
    for (int i : wanted) {
      if (i >= first && i < first + count) sources.push_back(captures[i - first]);
    }
    const std::vector<ValueId> found = zeros_where_absent(e, gradients(e, targets, sources, seeds), sources);
    size_t next = 0;
    for (int i : wanted) {
      if (i >= first && i < first + count) {
        graph->outputs.push_back(found[next++]);
      } else {
        const Spec& spec = c.e.spec(c.x(i));
        graph->outputs.push_back(e.broadcast_to(graph->add_scalar(spec.dtype, 0), spec.shape));
      }
    }
    return Body(graph);
  };
  std::vector<ValueId> operands{c.x(0)};
  for (int i = 1; i <= num_true; ++i) operands.push_back(c.x(i));
  operands.insert(operands.end(), dys.begin(), dys.end());
  for (int i = 1 + num_true; i < num_inputs; ++i) operands.push_back(c.x(i));
  operands.insert(operands.end(), dys.begin(), dys.end());
  const Attrs attrs{branch(then, 1, num_true), branch(other, 1 + num_true, num_inputs - 1 - num_true),
                    static_cast<int64_t>(num_true + dys.size())};
  const std::vector<ValueId> found = c.e.apply(cond_op, attrs, operands);
  for (size_t k = 0; k < wanted.size(); ++k) c.set(wanted[k], found[k]);
}

// --- with_gradient ---

void infer_with_gradient(InferContext& c) {
  for (int i = 0; i < c.attr<int64_t>(1); ++i) c.set_out(c.in(i).dtype, c.in(i).shape);
}

void lower_with_gradient(Lowering& l) {
  for (int i = 0; i < l.node().num_outputs; ++i) {
    const Spec& spec = l.out_spec(i);
    const int64_t size = spec.size(), one = 1;
    if (size == 0) continue;
    const CopyArgs args = copy_plan(1, &size, &one, &one);
    auto& a = l.emit<CopyArgs>(l.kernels.move.copy[element_size_log2(size_of(spec.dtype))], args.units,
                               args.unit_elements, args);
    l.bind(a.x, l.in(i));
    l.bind(a.y, l.out(i));
  }
}

void gradient_by_callback(GradientContext& c) {
  const int num_outputs = c.node.num_outputs;
  std::vector<ValueId> dys;
  for (int o = 0; o < num_outputs; ++o) dys.push_back(c.dy(o));
  const auto& callback = std::get<std::shared_ptr<const Callback>>(c.node.attrs[0]);
  const std::vector<ValueId> found = callback->gradient(c.e, dys);
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i] == kNoValue) continue;
    const int input = num_outputs + static_cast<int>(i);
    const Shape &want = c.e.shape(c.x(input)), &have = c.e.shape(found[i]);
    if (want != have)
      fail("[custom_gradient] the gradient of argument ", i, " has shape ", have, "; the argument has ", want);
    c.set(input, found[i]);
  }
}

}  // namespace

const OpDef cond_op = {.name = "cond",
                       .inputs = {"operands..."},
                       .attrs = {{"true_graph", AttrKind::graph, {}, true},
                                 {"false_graph", AttrKind::graph, {}, true},
                                 {"num_true", AttrKind::integer, {}, true}},
                       .num_outputs = -1,
                       .infer = infer_cond,
                       .gradient = cond_gradient,
                       .lower = lower_cond,
                       .doc = "Runs one of two graphs: operands are the condition, then what each takes from outside."};

const OpDef with_gradient_op = {
    .name = "with_gradient",
    .inputs = {"operands..."},
    .attrs = {{"rule", AttrKind::callback, {}, true}, {"num_outputs", AttrKind::integer, {}, true}},
    .num_outputs = -1,
    .infer = infer_with_gradient,
    .gradient = gradient_by_callback,
    .lower = lower_with_gradient,
    .has_effect = true,
    .doc = "The first operands, with a gradient by the others that a function gives."};

}  // namespace falconet
