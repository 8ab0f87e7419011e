// Loops whose bodies are graphs: while a condition holds, and over the rows of arrays.
#include <cstring>

#include "ops/control.h"

namespace falconet {

namespace {

// --- while_loop ---

struct WhileArgs {
  BodyArgs test, body;
  int num_values = 0;
  int64_t limit = -1;
  const int64_t* bytes = nullptr;
  const void** start = nullptr;
  void** results = nullptr;
  void** other = nullptr;  // scratch of the same sizes
  void* holds = nullptr;   // scratch for the condition
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
  c.check(static_cast<int>(test.inputs.size()) == num_values + num_test, "cond takes ", test.inputs.size(),
          " operands, ", num_values + num_test, " came");
  c.check(static_cast<int>(body.inputs.size()) == num_inputs - num_test, "body takes ", body.inputs.size(),
          " operands, ", num_inputs - num_test, " came");
  c.check(static_cast<int>(body.outputs.size()) == num_values, "body returns ", body.outputs.size(), " values for ",
          num_values, " loop variables");
  for (int i = 0; i < num_values; ++i) {
    c.check(body.spec(body.outputs[i]) == c.in(i), "body turns loop variable ", i, " from ", c.in(i), " into ",
            body.spec(body.outputs[i]));
    check_operand(c, test, i, c.in(i), "cond");
    check_operand(c, body, i, c.in(i), "body");
    c.set_out(c.in(i).dtype, c.in(i).shape);
  }
  for (int i = 0; i < num_test; ++i) check_operand(c, test, num_values + i, c.in(num_values + i), "cond");
  for (int i = num_values + num_test; i < num_inputs; ++i) check_operand(c, body, i - num_test, c.in(i), "body");
}

void lower_while(Lowering& l) {
  const int num_values = static_cast<int>(l.node().attr<int64_t>(2)),
            num_test = static_cast<int>(l.node().attr<int64_t>(3));
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
    for (int i = 0; i < a.num_xs; ++i)
      a.body.inputs[a.num_carries + i] = static_cast<const std::byte*>(a.xs[i]) + row * a.x_bytes[i];
    for (int i = 0; i < num_ys; ++i)
      a.body.outputs[a.num_carries + i] = static_cast<std::byte*>(a.ys[i]) + row * a.y_bytes[i];
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
  const int num_carries =
      count_attr(c, 1, "num_carries", std::min(static_cast<size_t>(num_inputs), body.outputs.size()));
  const int num_xs = count_attr(c, 2, "num_xs", static_cast<size_t>(num_inputs - num_carries));
  const int64_t length = c.attr<int64_t>(3);
  c.check(length >= 0, "`length` is ", length, "; it must not be negative");
  c.check(static_cast<int>(body.inputs.size()) == num_inputs, "the body takes ", body.inputs.size(), " operands, ",
          num_inputs, " came");
  for (int i = 0; i < num_carries; ++i) {
    c.check(body.spec(body.outputs[i]) == c.in(i), "the body turns carry ", i, " from ", c.in(i), " into ",
            body.spec(body.outputs[i]));
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

// Backwards through the steps. The carries that each step began with are found again by running the scan once more;
// then a scan in the other direction carries the gradients of the carries and sums those of the captures.
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
  const std::vector<ValueId> rerun = c.e.apply(
      scan_op, {Body(again), c.node.attrs[1], c.node.attrs[2], c.node.attrs[3], c.node.attrs[4]}, c.node.inputs);

  // Operands of the backward scan: [d carries, sums of d captures] [x rows, carry rows, dy rows] [captures].
  auto back = std::make_shared<Graph>();
  Emitter e(*back);
  std::vector<int> diff_carries, diff_captures, diff_xs, diff_ys;
  for (int i = 0; i < num_carries; ++i)
    if (is_diff(i)) diff_carries.push_back(i);
  for (int i = num_carries; i < first_capture; ++i)
    if (is_diff(i) && c.wants(i)) diff_xs.push_back(i);
  for (int i = first_capture; i < num_inputs; ++i)
    if (is_diff(i) && c.wants(i)) diff_captures.push_back(i);
  for (int o = num_carries; o < num_outputs; ++o)
    if (differentiable(body.spec(body.outputs[o]))) diff_ys.push_back(o);
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
  const std::vector<ValueId> grads =
      c.e.apply(scan_op, {Body(back), static_cast<int64_t>(nc + nk), num_back_xs, length, !reverse}, operands);
  for (size_t k = 0; k < nc; ++k) c.set(diff_carries[k], grads[k]);
  for (size_t k = 0; k < nk; ++k) c.set(diff_captures[k], grads[nc + k]);
  for (size_t k = 0; k < diff_xs.size(); ++k) c.set(diff_xs[k], grads[nc + nk + k]);
}

// As the scan that it is where the number of steps is bounded: steps after the condition has failed hand on what they
// got. Where the branch with the loop's body is not taken nothing of it is computed, so no infinity of a step that the
// loop did not make can meet a zero.
void while_gradient(GradientContext& c) {
  const Node& n = c.node;
  const Graph& test = body_of(n, 0);
  const int num_values = static_cast<int>(n.attr<int64_t>(2)), num_test = static_cast<int>(n.attr<int64_t>(3));
  const int64_t limit = n.attr<int64_t>(4);
  if (limit < 0) {
    fail(
        "[while_loop] a loop without `maximum_iterations` has no gradient inside of a trace (`jit`, `fit`), as what "
        "its "
        "steps began with has to be kept. Give it a bound.");
  }
  auto step = std::make_shared<Graph>();
  Emitter e(*step);
  std::vector<ValueId> inputs;
  for (ValueId x : n.inputs) inputs.push_back(step->add_input(c.e.spec(x)));
  const auto values_end = inputs.begin() + num_values, test_end = values_end + num_test;
  const std::vector<ValueId> values(inputs.begin(), values_end);
  const std::vector<ValueId> holds = inline_body(*step, test, {inputs.begin(), test_end});
  auto stay = std::make_shared<Graph>();
  for (ValueId v : values) stay->outputs.push_back(stay->add_input(step->spec(v)));
  std::vector<ValueId> operands{holds[0]};
  operands.insert(operands.end(), values.begin(), values.end());
  operands.insert(operands.end(), test_end, inputs.end());
  const auto num_true = static_cast<int64_t>(operands.size()) - 1;
  operands.insert(operands.end(), values.begin(), values.end());
  step->outputs = e.apply(cond_op, {n.attrs[1], Body(stay), num_true}, operands);

  Node as_scan = n;
  as_scan.op = &scan_op;
  as_scan.attrs = {Body(step), static_cast<int64_t>(num_values), int64_t{0}, limit, false};
  std::vector<ValueId> dys;
  for (int o = 0; o < num_values; ++o) dys.push_back(c.has_dy(o) ? c.dy(o) : kNoValue);
  GradientContext scan(c.e, as_scan, std::move(dys));
  scan.needed_ = c.needed_;
  scan_gradient(scan);
  c.results() = scan.results();
}

}  // namespace

const OpDef while_loop_op = {.name = "while_loop",
                             .inputs = {"operands..."},
                             .attrs = {{"cond_graph", AttrKind::graph, {}, true},
                                       {"body_graph", AttrKind::graph, {}, true},
                                       {"num_values", AttrKind::integer, {}, true},
                                       {"num_cond", AttrKind::integer, {}, true},
                                       {"maximum_iterations", AttrKind::integer, int64_t{-1}}},
                             .num_outputs = -1,
                             .infer = infer_while,
                             .gradient = while_gradient,
                             .lower = lower_while,
                             .steps_attr = 4,
                             .doc = "Runs a graph on its own results while another says so."};

const OpDef scan_op = {.name = "scan",
                       .inputs = {"operands..."},
                       .attrs = {{"body_graph", AttrKind::graph, {}, true},
                                 {"num_carries", AttrKind::integer, {}, true},
                                 {"num_xs", AttrKind::integer, {}, true},
                                 {"length", AttrKind::integer, {}, true},
                                 {"reverse", AttrKind::boolean, false}},
                       .num_outputs = -1,
                       .infer = infer_scan,
                       .gradient = scan_gradient,
                       .lower = lower_scan,
                       .steps_attr = 3,
                       .doc = "Runs a graph for each row of xs, handing carries on."};

}  // namespace falconet
