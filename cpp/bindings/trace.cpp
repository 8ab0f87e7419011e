// Recording graphs, gradients of traced values, and tapes for eager ones.
#include <algorithm>

#include "bindings/tensor.h"
#include "graph/simplify.h"
#include "plan/planner.h"

namespace falconet::bindings {

namespace {

struct Outside {};

// The traces that those entered now have interrupted.
std::vector<std::shared_ptr<Trace>>& scopes() {
  thread_local std::vector<std::shared_ptr<Trace>> stack;
  return stack;
}

ValueId id_in(const std::shared_ptr<Trace>& trace, py::handle object, const char* what) {
  const Operand o = as_operand(object.ptr(), "trace", what);
  return traced_value(*trace, trace, o, o.kind == Operand::weak ? o.dtype : o.spec().dtype);
}

// The value of a source as the gradient sees it: a variable is what it was when the trace began.
ValueId source_in(const std::shared_ptr<Trace>& trace, py::handle object) {
  if (Variable* v = as_variable(object.ptr())) {
    if (trace->outer) return trace->graph.read(v->state);
    return trace->graph.leaf(v->state);
  }
  return id_in(trace, object, "sources");
}

// A Python function that gives gradients: traced along where its operands are, computed at once under a tape.
struct PyGradient : Callback {
  explicit PyGradient(py::object fn) : rule(std::move(fn)) {}
  ~PyGradient() override {
    if (!Py_IsInitialized()) {
      rule.release();
      return;
    }
    py::gil_scoped_acquire gil;
    rule = py::object();
  }
  std::vector<int32_t> gradient(Emitter& e, const std::vector<int32_t>& dys) const override {
    py::tuple arguments(dys.size());
    const std::shared_ptr<Trace> trace = context().trace;
    Tape* tape = dynamic_cast<Tape*>(&e);
    for (size_t i = 0; i < dys.size(); ++i) arguments[i] = tape ? wrap(tape->computed(dys[i])) : wrap(trace, dys[i]);
    std::vector<int32_t> found;
    for (py::handle h : rule(*arguments)) {
      if (h.is_none()) {
        found.push_back(kNoValue);
      } else if (tape) {
        const Operand o = as_operand(h.ptr(), "custom_gradient", "gradient");
        found.push_back(tape->known(concrete(o, DType::float32)));
      } else {
        found.push_back(id_in(trace, h, "gradient"));
      }
    }
    return found;
  }
  py::object rule;
};

class PyTape {
 public:
  PyTape(bool persistent, bool watch_variables) : persistent_(persistent), watch_variables_(watch_variables) {}
  ~PyTape() { leave(); }

  void enter() {
    Context& c = context();
    if (entered_) fail("[GradientTape] is already recording");
    if (!tape_) {
      const size_t level = c.tapes.size();
      tape_ = std::make_unique<Tape>([level](const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs) {
        return run_below(std::min(level, context().tapes.size()), op, attrs, inputs);
      });
      tape_->watches_variables = watch_variables_;
    }
    c.tapes.push_back(tape_.get());
    entered_ = true;
  }
  void leave() {
    if (!entered_) return;
    auto& tapes = context().tapes;
    tapes.erase(std::remove(tapes.begin(), tapes.end(), tape_.get()), tapes.end());
    entered_ = false;
  }
  void watch(py::handle object) {
    if (context().trace) return;
    if (!tape_) fail("[GradientTape] watch() needs the tape to be recording: call it inside `with tape:`");
    tape_->watch(concrete_of(object, "watch"));
  }
  py::list gradient(const py::list& targets, const py::list& sources, py::object seeds) {
    if (!tape_) fail("[GradientTape] gradient() needs a recording; it was never entered, or gradient() was called before. "
                     "Use GradientTape(persistent=True) to ask more than once");
    std::vector<Concrete> ys, xs, dys;
    for (py::handle y : targets) ys.push_back(concrete_of(y, "target"));
    for (py::handle x : sources) xs.push_back(concrete_of(x, "sources"));
    if (!seeds.is_none()) {
      for (py::handle d : seeds) dys.push_back(concrete_of(d, "output_gradients"));
    }
    // Rules run below this tape: it does not listen to its own gradients.
    auto& tapes = context().tapes;
    const auto at = std::find(tapes.begin(), tapes.end(), tape_.get());
    const bool inside = at != tapes.end();
    std::vector<Tape*> above(inside ? at : tapes.end(), tapes.end());
    tapes.erase(inside ? at : tapes.end(), tapes.end());
    py::list results;
    try {
      for (Concrete& d : tape_->gradient(ys, xs, dys)) {
        results.append(d.array.buffer ? wrap(std::move(d)) : py::object(py::none()));
      }
    } catch (...) {
      tapes.insert(tapes.end(), above.begin(), above.end());
      throw;
    }
    tapes.insert(tapes.end(), above.begin(), above.end());
    if (!persistent_) {
      leave();
      tape_.reset();
    }
    return results;
  }

 private:
  static Concrete concrete_of(py::handle object, const char* what) {
    Operand o = as_operand(object.ptr(), "GradientTape", what);
    return concrete(o, o.kind == Operand::weak ? o.dtype : o.spec().dtype);
  }
  bool persistent_, watch_variables_, entered_ = false;
  std::unique_ptr<Tape> tape_;
};

}  // namespace

void bind_trace(py::module_& m) {
  py::class_<Trace, std::shared_ptr<Trace>>(m, "Graph", "Ops inside `with Graph() as g:` that meet a traced tensor or a variable are recorded.")
      .def(py::init([](bool nested, bool records_all) {
        auto trace = std::make_shared<Trace>();
        trace->records_all = records_all;
        if (nested && context().trace) {
          trace->outer = context().trace;
          trace->graph.parent = &trace->outer->graph;
          trace->records_all = trace->outer->records_all;
        }
        return trace;
      }), py::arg("nested") = false, py::arg("records_all") = false)
      .def("__enter__", [](const std::shared_ptr<Trace>& t) {
        scopes().push_back(context().trace);
        context().trace = t;
        return t;
      })
      .def("__exit__", [](const std::shared_ptr<Trace>&, py::args) {
        context().trace = scopes().back();
        scopes().pop_back();
      })
      .def("input", [](const std::shared_ptr<Trace>& t, py::handle shape, py::handle dtype) {
        return wrap(t, t->graph.add_input({dtype_from(dtype), shape_from(shape)}));
      }, py::arg("shape"), py::arg("dtype"))
      .def("set_outputs", [](const std::shared_ptr<Trace>& t, const py::list& outputs) {
        t->graph.outputs.clear();
        for (py::handle o : outputs) t->graph.outputs.push_back(id_in(t, o, "output"));
      })
      .def_readwrite("note", &Trace::note)
      // Outer values that the body took in, in the order of its last inputs.
      .def("captures", [](const std::shared_ptr<Trace>& t) {
        py::list outer;
        for (const Graph::Capture& c : t->graph.captures) outer.append(wrap(t->outer, c.outer));
        return outer;
      })
      .def("updated_variables", [](const std::shared_ptr<Trace>& t) {
        std::vector<std::string> names;
        for (const auto& u : t->graph.updates) names.push_back(u.variable->name);
        return names;
      })
      // Every op, in order, with the shape of its result: what decides whether two traces follow one rule.
      .def("operations", [](const std::shared_ptr<Trace>& t) {
        py::list ops;
        for (const Node& n : t->graph.nodes()) {
          ops.append(py::make_tuple(n.op->name, n.op->pointwise || n.op->is_leaf, shape_tuple(t->graph.spec(n.first_output).shape)));
        }
        return ops;
      })
      .def("text", [](const std::shared_ptr<Trace>& t) { return t->graph.text(); })
      .def("plan_text", [](const std::shared_ptr<Trace>& t) {
        return make_plan(*simplify(t->graph, true), std::make_shared<Arena>())->text();
      })
      .def("verify", [](const std::shared_ptr<Trace>& t) { t->graph.verify(); });
  py::class_<Outside>(m, "Outside", "`with Outside():` ops run at once, unseen by traces and tapes.")
      .def(py::init<>())
      .def("__enter__", [](Outside&) {
        scopes().push_back(context().trace);
        context().trace = nullptr;
        ++context().paused;
      })
      .def("__exit__", [](Outside&, py::args) {
        context().trace = scopes().back();
        scopes().pop_back();
        --context().paused;
      });
  m.def("tape_active", [] { return !context().tapes.empty() && !context().paused; });
  m.def("in_trace", [] { return context().trace != nullptr; });
  m.def("with_gradient", [](const py::list& outputs, const py::list& sources, py::object rule) {
    const OpDef& marked = op("with_gradient");
    Attrs attrs{std::shared_ptr<const Callback>(std::make_shared<PyGradient>(std::move(rule))), static_cast<int64_t>(outputs.size())};
    py::list results;
    const std::shared_ptr<Trace> trace = context().trace;
    bool traced = false;
    for (const py::list* list : {&outputs, &sources}) {
      for (py::handle h : *list) {
        const Tensor* t = as_tensor(h.ptr());
        traced |= t && t->traced();
      }
    }
    if (traced) {
      std::vector<ValueId> ids;
      for (const py::list* list : {&outputs, &sources}) {
        for (py::handle h : *list) ids.push_back(id_in(trace, h, "custom_gradient"));
      }
      for (ValueId v : Emitter(trace->graph).apply(marked, attrs, ids)) results.append(wrap(trace, v));
      return results;
    }
    std::vector<Concrete> inputs;
    for (const py::list* list : {&outputs, &sources}) {
      for (py::handle h : *list) inputs.push_back(concrete(as_operand(h.ptr(), "custom_gradient", "x"), DType::float32));
    }
    for (Concrete& y : run_below(context().tapes.size(), marked, attrs, inputs)) results.append(wrap(std::move(y)));
    return results;
  }, py::arg("outputs"), py::arg("sources"), py::arg("rule"), "Outputs as they are, whose gradient is rule(*dys), one for each source.");
  m.def("gradients", [](const py::list& ys, const py::list& xs, const py::object& dys) {
    const std::shared_ptr<Trace> trace = context().trace;
    if (!trace) fail("[gradients] needs a trace; outside one use GradientTape");
    std::vector<ValueId> y, x, d;
    std::vector<int> position;
    for (py::handle h : ys) y.push_back(id_in(trace, h, "targets"));
    for (py::handle h : xs) {
      const ValueId v = source_in(trace, h);
      position.push_back(v == kNoValue ? -1 : static_cast<int>(x.size()));
      if (v != kNoValue) x.push_back(v);
    }
    if (!dys.is_none()) {
      for (py::handle h : dys) d.push_back(id_in(trace, h, "output_gradients"));
    }
    Emitter emit(trace->graph);
    const std::vector<ValueId> found = gradients(emit, y, x, d);
    py::list results;
    for (int p : position) results.append(p < 0 || found[p] == kNoValue ? py::object(py::none()) : wrap(trace, found[p]));
    return results;
  }, py::arg("ys"), py::arg("xs"), py::arg("dys") = py::none());
  py::class_<PyTape>(m, "Tape")
      .def(py::init<bool, bool>(), py::arg("persistent") = false, py::arg("watch_variables") = true)
      .def("enter", &PyTape::enter)
      .def("leave", &PyTape::leave)
      .def("watch", &PyTape::watch)
      .def("gradient", &PyTape::gradient, py::arg("targets"), py::arg("sources"), py::arg("seeds") = py::none());
}

}  // namespace falconet::bindings
