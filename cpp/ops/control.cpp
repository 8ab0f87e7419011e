// Branches and loops whose bodies are graphs, and gradients given by a function.
//
// A body's inputs are the operands it works on followed by what it takes from outside (captures). Gradient rules build
// bodies of their own: the body's nodes again, followed by those of its gradient.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ops/rules.h"

namespace falconet {

namespace {

using Body = std::shared_ptr<const Graph>;

const Graph& body_of(const Node& n, int attr) { return *std::get<Body>(n.attrs[attr]); }

// Appends a body's nodes to a graph, its inputs being `inputs`; returns its outputs.
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

bool differentiable(const Spec& spec) { return is_float(spec.dtype); }

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

void check_body(InferContext& c, const Graph& body, int first, int count, const char* what) {
  c.check(static_cast<int>(body.inputs.size()) == count, what, " takes ", body.inputs.size(), " operands, ", count, " came");
  for (int i = 0; i < count; ++i) check_operand(c, body, i, c.in(first + i), what);
}

// A count that an attribute gives: not negative, and at most `most`.
int count_attr(InferContext& c, int attr, const char* name, size_t most) {
  const int64_t count = c.attr<int64_t>(attr);
  c.check(count >= 0 && count <= static_cast<int64_t>(most), "`", name, "` is ", count, "; 0 to ", most, " are possible here");
  return static_cast<int>(count);
}

// Pointers that an instruction passes to a body; those in `at` are bound by the plan.
struct BodyArgs {
  const SubPlan* plan = nullptr;
  const void** inputs = nullptr;
  void** outputs = nullptr;
  int num_inputs = 0, num_outputs = 0;
};

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
  c.check(c.in(0).dtype == DType::boolean && c.in(0).shape.empty(), "the condition must be a bool scalar, got ", c.in(0));
  check_body(c, then, 1, num_true, "true_fn");
  check_body(c, other, 1 + num_true, c.num_inputs() - 1 - num_true, "false_fn");
  c.check(then.outputs.size() == other.outputs.size(), "the branches return ", then.outputs.size(), " and ", other.outputs.size(), " values");
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

// --- while_loop ---

struct WhileArgs {
  BodyArgs test, body;
  int num_values = 0;
  int64_t limit = -1;
  const int64_t* bytes = nullptr;
  const void** start = nullptr;
  void** results = nullptr;
  void** other = nullptr;   // scratch of the same sizes
  void* holds = nullptr;    // scratch for the condition
};

void run_while(const void* args, int64_t, int64_t) {
  const WhileArgs& a = *static_cast<const WhileArgs*>(args);
  void** now = a.results;
  void** next = a.other;
  for (int i = 0; i < a.num_values; ++i) std::memcpy(now[i], a.start[i], a.bytes[i]);
  for (int64_t count = 0; a.limit < 0 || count < a.limit; ++count) {
    for (int i = 0; i < a.num_values; ++i) a.test.inputs[i] = a.body.inputs[i] = now[i];
    a.test.plan->run(a.test.inputs, &const_cast<void*&>(a.holds));
    if (!*static_cast<const uint8_t*>(a.holds)) break;
    a.body.plan->run(a.body.inputs, next);
    std::swap(now, next);
  }
  if (now != a.results) {
    for (int i = 0; i < a.num_values; ++i) std::memcpy(a.results[i], now[i], a.bytes[i]);
  }
}

void infer_while(InferContext& c) {
  const Graph &test = *c.attr<Body>(0), &body = *c.attr<Body>(1);
  const int num_inputs = c.num_inputs(), num_values = count_attr(c, 2, "num_values", static_cast<size_t>(num_inputs));
  const int num_test = count_attr(c, 3, "num_cond", static_cast<size_t>(num_inputs - num_values));
  c.check(test.outputs.size() == 1 && test.spec(test.outputs[0]) == Spec{DType::boolean, {}},
          "cond must return a bool scalar");
  c.check(static_cast<int>(test.inputs.size()) == num_values + num_test, "cond takes ", test.inputs.size(), " operands, ",
          num_values + num_test, " came");
  c.check(static_cast<int>(body.inputs.size()) == num_inputs - num_test, "body takes ", body.inputs.size(), " operands, ",
          num_inputs - num_test, " came");
  c.check(static_cast<int>(body.outputs.size()) == num_values, "body returns ", body.outputs.size(), " values for ", num_values,
          " loop variables");
  for (int i = 0; i < num_values; ++i) {
    c.check(body.spec(body.outputs[i]) == c.in(i), "body turns loop variable ", i, " from ", c.in(i), " into ", body.spec(body.outputs[i]));
    check_operand(c, test, i, c.in(i), "cond");
    check_operand(c, body, i, c.in(i), "body");
    c.set_out(c.in(i).dtype, c.in(i).shape);
  }
  for (int i = 0; i < num_test; ++i) check_operand(c, test, num_values + i, c.in(num_values + i), "cond");
  for (int i = num_values + num_test; i < num_inputs; ++i) check_operand(c, body, i - num_test, c.in(i), "body");
}

void lower_while(Lowering& l) {
  const int num_values = static_cast<int>(l.node().attr<int64_t>(2)), num_test = static_cast<int>(l.node().attr<int64_t>(3));
  WhileArgs args;
  args.test = make_body(l, body_of(l.node(), 0));
  args.body = make_body(l, body_of(l.node(), 1));
  args.num_values = num_values;
  args.limit = l.node().attr<int64_t>(4);
  std::vector<int64_t> bytes;
  std::vector<Ref> scratch;
  for (int i = 0; i < num_values; ++i) {
    bytes.push_back(l.in_spec(i).bytes());
    scratch.push_back(l.scratch(bytes.back()));
  }
  args.bytes = l.keep(bytes.data(), num_values);
  const std::vector<void*> empty(num_values, nullptr);
  args.start = const_cast<const void**>(l.keep(empty.data(), num_values));
  args.results = l.keep(empty.data(), num_values);
  args.other = l.keep(empty.data(), num_values);
  const Ref holds = l.scratch(1);
  auto& a = l.emit<WhileArgs>(run_while, 1, 1, args);
  for (int i = 0; i < num_values; ++i) {
    l.bind(a.start[i], l.in(i));
    l.bind(a.results[i], l.out(i));
    l.bind(a.other[i], scratch[i]);
  }
  l.bind(a.holds, holds);
  for (int i = 0; i < num_test; ++i) l.bind(a.test.inputs[num_values + i], l.in(num_values + i));
  const int num_body = static_cast<int>(l.node().inputs.size()) - num_values - num_test;
  for (int i = 0; i < num_body; ++i) l.bind(a.body.inputs[num_values + i], l.in(num_values + num_test + i));
}

// --- scan ---

struct ScanBodyArgs {
  BodyArgs body;
  int num_carries = 0, num_xs = 0;
  int64_t length = 0;
  bool reverse = false;
  const int64_t* carry_bytes = nullptr;
  const int64_t* x_bytes = nullptr;  // of a row
  const int64_t* y_bytes = nullptr;
  const void** start = nullptr;
  const void** xs = nullptr;
  void** results = nullptr;  // carries
  void** other = nullptr;    // scratch for carries
  void** ys = nullptr;
};

void run_scan(const void* args, int64_t, int64_t) {
  const ScanBodyArgs& a = *static_cast<const ScanBodyArgs*>(args);
  void** now = a.results;
  void** next = a.other;
  for (int i = 0; i < a.num_carries; ++i) std::memcpy(now[i], a.start[i], a.carry_bytes[i]);
  const int num_ys = a.body.num_outputs - a.num_carries;
  for (int64_t step = 0; step < a.length; ++step) {
    const int64_t row = a.reverse ? a.length - 1 - step : step;
    for (int i = 0; i < a.num_carries; ++i) {
      a.body.inputs[i] = now[i];
      a.body.outputs[i] = next[i];
    }
    for (int i = 0; i < a.num_xs; ++i) a.body.inputs[a.num_carries + i] = static_cast<const std::byte*>(a.xs[i]) + row * a.x_bytes[i];
    for (int i = 0; i < num_ys; ++i) a.body.outputs[a.num_carries + i] = static_cast<std::byte*>(a.ys[i]) + row * a.y_bytes[i];
    a.body.plan->run(a.body.inputs, a.body.outputs);
    std::swap(now, next);
  }
  if (now != a.results) {
    for (int i = 0; i < a.num_carries; ++i) std::memcpy(a.results[i], now[i], a.carry_bytes[i]);
  }
}

Shape without_first(const Shape& shape) { return Shape(shape.begin() + 1, shape.end()); }
Shape with_first(int64_t n, const Shape& shape) {
  Shape out{n};
  for (int64_t d : shape) out.push_back(d);
  return out;
}

void infer_scan(InferContext& c) {
  const Graph& body = *c.attr<Body>(0);
  const int num_inputs = c.num_inputs();
  const int num_carries = count_attr(c, 1, "num_carries", std::min(static_cast<size_t>(num_inputs), body.outputs.size()));
  const int num_xs = count_attr(c, 2, "num_xs", static_cast<size_t>(num_inputs - num_carries));
  const int64_t length = c.attr<int64_t>(3);
  c.check(length >= 0, "`length` is ", length, "; it must not be negative");
  c.check(static_cast<int>(body.inputs.size()) == num_inputs, "the body takes ", body.inputs.size(), " operands, ", num_inputs, " came");
  for (int i = 0; i < num_carries; ++i) {
    c.check(body.spec(body.outputs[i]) == c.in(i), "the body turns carry ", i, " from ", c.in(i), " into ", body.spec(body.outputs[i]));
    check_operand(c, body, i, c.in(i), "the body");
    c.set_out(c.in(i).dtype, c.in(i).shape);
  }
  for (int i = num_carries; i < num_carries + num_xs; ++i) {
    const Spec& x = c.in(i);
    c.check(!x.shape.empty() && x.shape[0] == length, "xs must have ", length, " rows, got ", x);
    check_operand(c, body, i, {x.dtype, without_first(x.shape)}, "the body");
  }
  for (int i = num_carries + num_xs; i < num_inputs; ++i) check_operand(c, body, i, c.in(i), "the body");
  for (size_t i = num_carries; i < body.outputs.size(); ++i) {
    const Spec& y = body.spec(body.outputs[i]);
    c.set_out(y.dtype, with_first(length, y.shape));
  }
}

void lower_scan(Lowering& l) {
  const Node& n = l.node();
  const Graph& body = body_of(n, 0);
  ScanBodyArgs args;
  args.body = make_body(l, body);
  args.num_carries = static_cast<int>(n.attr<int64_t>(1));
  args.num_xs = static_cast<int>(n.attr<int64_t>(2));
  args.length = n.attr<int64_t>(3);
  args.reverse = n.attr<bool>(4);
  const int num_ys = args.body.num_outputs - args.num_carries;
  std::vector<int64_t> carry_bytes, x_bytes, y_bytes;
  std::vector<Ref> scratch;
  for (int i = 0; i < args.num_carries; ++i) {
    carry_bytes.push_back(l.in_spec(i).bytes());
    scratch.push_back(l.scratch(carry_bytes.back()));
  }
  for (int i = 0; i < args.num_xs; ++i) x_bytes.push_back(body.spec(body.inputs[args.num_carries + i]).bytes());
  for (int i = 0; i < num_ys; ++i) y_bytes.push_back(body.spec(body.outputs[args.num_carries + i]).bytes());
  args.carry_bytes = l.keep(carry_bytes.data(), args.num_carries);
  args.x_bytes = l.keep(x_bytes.data(), args.num_xs);
  args.y_bytes = l.keep(y_bytes.data(), num_ys);
  const std::vector<void*> empty(args.num_carries + args.num_xs + num_ys + 1, nullptr);
  args.start = const_cast<const void**>(l.keep(empty.data(), args.num_carries));
  args.xs = const_cast<const void**>(l.keep(empty.data(), args.num_xs));
  args.results = l.keep(empty.data(), args.num_carries);
  args.other = l.keep(empty.data(), args.num_carries);
  args.ys = l.keep(empty.data(), num_ys);
  auto& a = l.emit<ScanBodyArgs>(run_scan, 1, 1, args);
  for (int i = 0; i < args.num_carries; ++i) {
    l.bind(a.start[i], l.in(i));
    l.bind(a.results[i], l.out(i));
    l.bind(a.other[i], scratch[i]);
  }
  for (int i = 0; i < args.num_xs; ++i) l.bind(a.xs[i], l.in(args.num_carries + i));
  for (int i = 0; i < num_ys; ++i) l.bind(a.ys[i], l.out(args.num_carries + i));
  const int first = args.num_carries + args.num_xs;
  for (int i = first; i < args.body.num_inputs; ++i) l.bind(a.body.inputs[i], l.in(i));
}

// Backwards through the steps. The carries that each step began with are found again by running the scan once more; then
// a scan in the other direction carries the gradients of the carries and sums those of the captures.
void scan_gradient(GradientContext& c) {
  const Graph& body = body_of(c.node, 0);
  const int num_carries = static_cast<int>(c.node.attr<int64_t>(1)), num_xs = static_cast<int>(c.node.attr<int64_t>(2));
  const int64_t length = c.node.attr<int64_t>(3);
  const bool reverse = c.node.attr<bool>(4);
  const int num_inputs = static_cast<int>(body.inputs.size()), num_outputs = static_cast<int>(body.outputs.size());
  const int first_capture = num_carries + num_xs;
  const auto in_spec = [&](int i) -> const Spec& { return body.spec(body.inputs[i]); };
  const auto is_diff = [&](int i) { return differentiable(in_spec(i)); };

  auto again = std::make_shared<Graph>();
  std::vector<ValueId> inputs;
  for (int i = 0; i < num_inputs; ++i) inputs.push_back(again->add_input(in_spec(i)));
  again->outputs = inline_body(*again, body, inputs);
  again->outputs.resize(num_carries);
  for (int i = 0; i < num_carries; ++i) again->outputs.push_back(inputs[i]);
  const std::vector<ValueId> rerun = c.e.apply(scan_op, {Body(again), c.node.attrs[1], c.node.attrs[2], c.node.attrs[3], c.node.attrs[4]}, c.node.inputs);

  // Operands of the backward scan: [d carries, sums of d captures] [x rows, carry rows, dy rows] [captures].
  auto back = std::make_shared<Graph>();
  Emitter e(*back);
  std::vector<int> diff_carries, diff_captures, diff_xs, diff_ys;
  for (int i = 0; i < num_carries; ++i) if (is_diff(i)) diff_carries.push_back(i);
  for (int i = num_carries; i < first_capture; ++i) if (is_diff(i) && c.wants(i)) diff_xs.push_back(i);
  for (int i = first_capture; i < num_inputs; ++i) if (is_diff(i) && c.wants(i)) diff_captures.push_back(i);
  for (int o = num_carries; o < num_outputs; ++o) if (differentiable(body.spec(body.outputs[o]))) diff_ys.push_back(o);
  std::vector<ValueId> d_carries, sums, body_inputs(num_inputs), d_ys, operands;
  for (int i : diff_carries) {
    d_carries.push_back(back->add_input(in_spec(i)));
    operands.push_back(c.dy(i));
  }
  for (int i : diff_captures) {
    sums.push_back(back->add_input(in_spec(i)));
    operands.push_back(c.e.zeros_like(c.x(i)));
  }
  for (int i = num_carries; i < first_capture; ++i) {
    body_inputs[i] = back->add_input(in_spec(i));
    operands.push_back(c.x(i));
  }
  for (int i = 0; i < num_carries; ++i) {
    body_inputs[i] = back->add_input(in_spec(i));
    operands.push_back(rerun[num_carries + i]);
  }
  for (int o : diff_ys) {
    d_ys.push_back(back->add_input(body.spec(body.outputs[o])));
    operands.push_back(c.dy(o));
  }
  for (int i = first_capture; i < num_inputs; ++i) {
    body_inputs[i] = back->add_input(in_spec(i));
    operands.push_back(c.x(i));
  }
  const std::vector<ValueId> results = inline_body(*back, body, body_inputs);
  std::vector<ValueId> targets, seeds, sources;
  for (size_t k = 0; k < diff_carries.size(); ++k) {
    targets.push_back(results[diff_carries[k]]);
    seeds.push_back(d_carries[k]);
  }
  for (size_t k = 0; k < diff_ys.size(); ++k) {
    targets.push_back(results[diff_ys[k]]);
    seeds.push_back(d_ys[k]);
  }
  for (const auto* group : {&diff_carries, &diff_captures, &diff_xs}) {
    for (int i : *group) sources.push_back(body_inputs[i]);
  }
  const std::vector<ValueId> found = zeros_where_absent(e, gradients(e, targets, sources, seeds), sources);
  const size_t nc = diff_carries.size(), nk = diff_captures.size();
  for (size_t k = 0; k < nc; ++k) back->outputs.push_back(found[k]);
  for (size_t k = 0; k < nk; ++k) back->outputs.push_back(e.add(sums[k], found[nc + k]));
  for (size_t k = 0; k < diff_xs.size(); ++k) back->outputs.push_back(found[nc + nk + k]);

  const int64_t num_back_xs = num_xs + num_carries + static_cast<int64_t>(diff_ys.size());
  const std::vector<ValueId> grads = c.e.apply(scan_op, {Body(back), static_cast<int64_t>(nc + nk), num_back_xs, length, !reverse}, operands);
  for (size_t k = 0; k < nc; ++k) c.set(diff_carries[k], grads[k]);
  for (size_t k = 0; k < nk; ++k) c.set(diff_captures[k], grads[nc + k]);
  for (size_t k = 0; k < diff_xs.size(); ++k) c.set(diff_xs[k], grads[nc + nk + k]);
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
    auto& a = l.emit<CopyArgs>(l.kernels.move.copy[element_size_log2(size_of(spec.dtype))], args.units, args.unit_elements, args);
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
    if (want != have) fail("[custom_gradient] the gradient of argument ", i, " has shape ", have, "; the argument has ", want);
    c.set(input, found[i]);
  }
}

}  // namespace

const OpDef cond_op = {
    .name = "cond", .inputs = {"operands..."},
    .attrs = {{"true_graph", AttrKind::graph, {}, true}, {"false_graph", AttrKind::graph, {}, true}, {"num_true", AttrKind::integer, {}, true}},
    .num_outputs = -1, .infer = infer_cond, .gradient = cond_gradient, .lower = lower_cond,
    .doc = "Runs one of two graphs: operands are the condition, then what each takes from outside."};

const OpDef while_loop_op = {
    .name = "while_loop", .inputs = {"operands..."},
    .attrs = {{"cond_graph", AttrKind::graph, {}, true}, {"body_graph", AttrKind::graph, {}, true}, {"num_values", AttrKind::integer, {}, true},
              {"num_cond", AttrKind::integer, {}, true}, {"maximum_iterations", AttrKind::integer, int64_t{-1}}},
    .num_outputs = -1, .infer = infer_while, .lower = lower_while, .steps_attr = 4,
    .doc = "Runs a graph on its own results while another says so."};

const OpDef scan_op = {
    .name = "scan", .inputs = {"operands..."},
    .attrs = {{"body_graph", AttrKind::graph, {}, true}, {"num_carries", AttrKind::integer, {}, true}, {"num_xs", AttrKind::integer, {}, true},
              {"length", AttrKind::integer, {}, true}, {"reverse", AttrKind::boolean, false}},
    .num_outputs = -1, .infer = infer_scan, .gradient = scan_gradient, .lower = lower_scan, .steps_attr = 3,
    .doc = "Runs a graph for each row of xs, handing carries on."};

const OpDef with_gradient_op = {
    .name = "with_gradient", .inputs = {"operands..."},
    .attrs = {{"rule", AttrKind::callback, {}, true}, {"num_outputs", AttrKind::integer, {}, true}},
    .num_outputs = -1, .infer = infer_with_gradient, .gradient = gradient_by_callback, .lower = lower_with_gradient,
    .has_effect = true, .doc = "The first operands, with a gradient by the others that a function gives."};

}  // namespace falconet
