// Ops as Python callables: one object for each row of the op table, called without a Python frame in between.
//
// A call sorts its arguments into tensors and attributes by the op's own declaration, then takes one of three ways:
// recorded, where an operand is traced; through the tapes, where one is listening; or run at once. Operands that are
// symbolic (KerasTensors) are handed to the Python function that registered for them.
#include "bindings/tensor.h"

#include <structmember.h>

#include "plan/eager.h"

namespace falconet::bindings {

namespace {

struct OpObject {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  const OpDef* op;
};

PyTypeObject* op_type = nullptr;
py::handle symbolic_type, symbolic_call, make_signature;

Attr attr_from(const OpDef& op, const AttrDef& def, PyObject* value) {
  if (value == Py_None) {
    if (def.required) fail<TypeError>("[", op.name, "] `", def.name, "` must not be None");
    return def.kind == AttrKind::ints || def.kind == AttrKind::integer ? Attr{} : def.fallback;
  }
  const auto wrong = [&](const char* needed) {
    fail<TypeError>("[", op.name, "] `", def.name, "` must be ", needed, ", got ", Py_TYPE(value)->tp_name);
  };
  const auto integer = [&](PyObject* o) -> int64_t {
    const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(o));
    if (!index) {
      PyErr_Clear();
      wrong(def.kind == AttrKind::ints ? "integers" : "an integer");
    }
    const int64_t i = PyLong_AsLongLong(index.ptr());
    if (i == -1 && PyErr_Occurred()) throw py::error_already_set();
    return i;
  };
  switch (def.kind) {
    case AttrKind::boolean: return PyObject_IsTrue(value) == 1;
    case AttrKind::integer: return integer(value);
    case AttrKind::real: {
      const double d = PyFloat_AsDouble(value);
      if (d == -1 && PyErr_Occurred()) { PyErr_Clear(); wrong("a number"); }
      return d;
    }
    case AttrKind::text:
      if (!PyUnicode_Check(value)) wrong("a string");
      return std::string(PyUnicode_AsUTF8(value));
    case AttrKind::ints: {
      Ints ints;
      if (PyTuple_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); ++i) ints.push_back(integer(PyTuple_GET_ITEM(value, i)));
      } else if (PyIndex_Check(value)) {
        ints.push_back(integer(value));
      } else {
        for (py::handle h : py::reinterpret_borrow<py::object>(value)) ints.push_back(integer(h.ptr()));
      }
      return ints;
    }
    case AttrKind::dtype: return dtype_from(value);
    case AttrKind::graph: return std::shared_ptr<const Graph>(py::handle(value).cast<std::shared_ptr<Trace>>(), &py::handle(value).cast<std::shared_ptr<Trace>>()->graph);
    case AttrKind::callback: break;
  }
  wrong("something else");
  return {};
}

struct Call {
  static constexpr int kMax = 256;
  PyObject* tensors[kMax];
  int num_tensors = 0;
  Attrs attrs;
  bool symbolic = false;
};

bool is_symbolic(PyObject* o) { return symbolic_type && PyType_IsSubtype(Py_TYPE(o), reinterpret_cast<PyTypeObject*>(symbolic_type.ptr())); }

void take_tensor(const OpDef& op, Call& call, PyObject* o) {
  if (call.num_tensors == Call::kMax) fail("[", op.name, "] at most ", Call::kMax, " inputs are supported");
  call.symbolic |= is_symbolic(o);
  call.tensors[call.num_tensors++] = o;
}

// Positional arguments fill the inputs, then the attributes; keywords go by name.
void sort_arguments(const OpDef& op, Call& call, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  const int num_inputs = static_cast<int>(op.inputs.size());
  const bool variadic = op.variadic();
  PyObject* by_name[16] = {};
  Py_ssize_t at = 0;
  if (variadic) {
    const bool sequence = count > 0 && (PyList_Check(args[0]) || PyTuple_Check(args[0]));
    if (sequence) {
      PyObject* items = args[at++];
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); ++i) take_tensor(op, call, PySequence_Fast_GET_ITEM(items, i));
    } else {
      while (at < count) take_tensor(op, call, args[at++]);
    }
    if (call.num_tensors == 0) fail("[", op.name, "] needs at least one input");
  } else {
    while (at < count && at < num_inputs) by_name[at] = args[at], ++at;
  }
  const size_t num_attrs = op.attrs.size();
  call.attrs.reserve(num_attrs);
  PyObject* attr_value[16] = {};
  for (size_t i = 0; at < count; ++at, ++i) {
    if (i >= num_attrs) {
      fail<TypeError>("[", op.name, "] takes at most ", num_inputs + num_attrs, " arguments, got ", count);
    }
    attr_value[i] = args[at];
  }
  const Py_ssize_t num_names = names ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t k = 0; k < num_names; ++k) {
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, k));
    PyObject* value = args[count + k];
    bool found = false;
    for (size_t i = 0; i < num_attrs && !found; ++i) {
      if (std::string_view(op.attrs[i].name) == name) {
        if (attr_value[i]) fail<TypeError>("[", op.name, "] got `", name, "` twice");
        attr_value[i] = value;
        found = true;
      }
    }
    for (int i = 0; i < num_inputs && !found && !variadic; ++i) {
      if (std::string_view(op.inputs[i]) == name) {
        if (by_name[i]) fail<TypeError>("[", op.name, "] got `", name, "` twice");
        by_name[i] = value;
        found = true;
      }
    }
    if (!found && variadic && std::string_view(name) == std::string_view(op.inputs[0]).substr(0, std::string_view(op.inputs[0]).size() - 3)) {
      const py::tuple items = py::tuple(py::reinterpret_borrow<py::object>(value));
      for (py::handle h : items) take_tensor(op, call, h.ptr());
      found = true;
    }
    if (!found) fail<TypeError>("[", op.name, "] has no argument `", name, "`");
  }
  for (int i = 0; i < num_inputs && !variadic; ++i) {
    if (!by_name[i]) fail<TypeError>("[", op.name, "] `", op.inputs[i], "` is missing");
    take_tensor(op, call, by_name[i]);
  }
  for (size_t i = 0; i < num_attrs; ++i) {
    if (attr_value[i]) {
      call.attrs.push_back(attr_from(op, op.attrs[i], attr_value[i]));
    } else {
      if (op.attrs[i].required) fail<TypeError>("[", op.name, "] `", op.attrs[i].name, "` is missing");
      call.attrs.push_back(op.attrs[i].fallback);
    }
  }
}

// The dtype that Python numbers take beside the others: the common dtype of those, unless the number is of a higher kind.
DType weak_dtype(const Operand* operands, int from, int count, const Operand& weak) {
  bool any = false;
  DType common = DType::boolean;
  for (int i = from; i < count; ++i) {
    if (operands[i].kind == Operand::weak) continue;
    const DType d = operands[i].spec().dtype;
    common = any ? promote(common, d) : d;
    any = true;
  }
  const bool number_is_float = weak.dtype == DType::float32;
  for (int i = from; i < count; ++i) {
    if (operands[i].kind != Operand::weak) continue;
    if (!any && operands[i].dtype == DType::float32) return DType::float32;
  }
  if (!any) return weak.dtype;
  if (number_is_float && !is_float(common)) return DType::float32;
  if (weak.dtype != DType::boolean && common == DType::boolean) return weak.dtype;
  return common;
}

py::object pack(std::vector<py::object>&& outputs) {
  if (outputs.size() == 1) return std::move(outputs[0]);
  py::tuple t(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) t[i] = std::move(outputs[i]);
  return t;
}

const char* input_name(const OpDef& op, int i) {
  return op.inputs[std::min<size_t>(i, op.inputs.size() - 1)];
}

py::object run(const OpDef& op, Call& call) {
  Context& ctx = context();
  std::vector<Operand> operands(call.num_tensors);
  bool trace_it = ctx.trace && ctx.trace->records_all;
  for (int i = 0; i < call.num_tensors; ++i) {
    operands[i] = as_operand(call.tensors[i], op.name, input_name(op, i));
    trace_it |= operands[i].kind == Operand::traced || (operands[i].kind == Operand::variable && ctx.trace);
  }
  const int first = op.promote == Promote::last_two ? 1 : 0;
  const auto dtype_for = [&](int i) {
    if (operands[i].kind != Operand::weak) return operands[i].spec().dtype;
    // Where operands keep their own dtypes, an integer is an index or a class.
    const bool own = i < first || (op.promote == Promote::none && operands[i].dtype != DType::float32);
    return own ? operands[i].dtype : weak_dtype(operands.data(), first, call.num_tensors, operands[i]);
  };
  if (trace_it) {
    std::shared_ptr<Trace> trace = ctx.trace;
    if (!trace) fail("[", op.name, "] a tensor of a finished trace was used; it has left the function that was being traced");
    std::vector<ValueId> ids;
    for (int i = 0; i < call.num_tensors; ++i) ids.push_back(traced_value(*trace, trace, operands[i], dtype_for(i)));
    std::vector<py::object> outputs;
    for (ValueId v : Emitter(trace->graph).apply(op, std::move(call.attrs), std::move(ids))) outputs.push_back(wrap(trace, v));
    return pack(std::move(outputs));
  }
  std::vector<Concrete> inputs;
  inputs.reserve(call.num_tensors);
  for (int i = 0; i < call.num_tensors; ++i) inputs.push_back(read(operands[i], dtype_for(i)));
  std::vector<Concrete> results = run_below(ctx.paused ? 0 : ctx.tapes.size(), op, call.attrs, inputs);
  if (results.size() == 1) return wrap(std::move(results[0]));
  std::vector<py::object> outputs;
  for (Concrete& y : results) outputs.push_back(wrap(std::move(y)));
  return pack(std::move(outputs));
}

PyObject* call_op(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  const OpDef& op = *reinterpret_cast<OpObject*>(self)->op;
  try {
    Call call;
    sort_arguments(op, call, args, PyVectorcall_NARGS(nargsf), names);
    if (call.symbolic) {
      py::tuple positional(PyVectorcall_NARGS(nargsf));
      for (size_t i = 0; i < positional.size(); ++i) positional[i] = py::reinterpret_borrow<py::object>(args[i]);
      py::dict keywords;
      for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); ++k) {
        keywords[py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(names, k))] = py::reinterpret_borrow<py::object>(args[positional.size() + k]);
      }
      return symbolic_call(py::reinterpret_borrow<py::object>(self), positional, keywords).release().ptr();
    }
    return run(op, call).release().ptr();
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const ValueError& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const TypeError& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
  return nullptr;
}

PyObject* op_repr(PyObject* self) { return PyUnicode_FromFormat("<op %s>", reinterpret_cast<OpObject*>(self)->op->name); }
PyObject* op_name(PyObject* self, void*) { return PyUnicode_FromString(reinterpret_cast<OpObject*>(self)->op->name); }
PyObject* op_module(PyObject*, void*) { return PyUnicode_FromString("falconet.ops"); }
PyObject* op_doc(PyObject* self, void*) { return PyUnicode_FromString(reinterpret_cast<OpObject*>(self)->op->doc); }
PyObject* op_signature(PyObject* self, void*) {
  if (!make_signature) Py_RETURN_NONE;
  return PyObject_CallOneArg(make_signature.ptr(), self);
}
// For make_signature: (inputs, ((attribute, default or Ellipsis), ...)).
PyObject* op_declaration(PyObject* self, void*) {
  const OpDef& op = *reinterpret_cast<OpObject*>(self)->op;
  py::list inputs, attrs;
  for (const char* name : op.inputs) inputs.append(name);
  for (const AttrDef& a : op.attrs) {
    py::object fallback = py::none();
    struct Visit {
      py::object& to;
      void operator()(bool v) const { to = py::bool_(v); }
      void operator()(int64_t v) const { to = py::int_(v); }
      void operator()(double v) const { to = py::float_(v); }
      void operator()(const std::string& v) const { to = py::str(v); }
      void operator()(const Ints& v) const { to = py::tuple(py::cast(v)); }
      void operator()(DType v) const { to = py::str(std::string(name_of(v))); }
      void operator()(std::monostate) const {}
      void operator()(const std::shared_ptr<const Graph>&) const {}
      void operator()(const std::shared_ptr<const Callback>&) const {}
    };
    std::visit(Visit{fallback}, a.fallback);
    attrs.append(py::make_tuple(a.name, a.required ? py::reinterpret_borrow<py::object>(Py_Ellipsis) : fallback));
  }
  return py::make_tuple(inputs, attrs).release().ptr();
}

PyMemberDef op_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef op_getset[] = {{"__name__", op_name, nullptr, nullptr, nullptr},
                           {"__qualname__", op_name, nullptr, nullptr, nullptr},
                           {"__module__", op_module, nullptr, nullptr, nullptr},
                           {"__doc__", op_doc, nullptr, nullptr, nullptr},
                           {"__signature__", op_signature, nullptr, nullptr, nullptr},
                           {"declaration", op_declaration, nullptr, nullptr, nullptr},
                           {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace

void bind_ops(py::module_& m) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                         {Py_tp_members, op_members},
                         {Py_tp_getset, op_getset},
                         {0, nullptr}};
  PyType_Spec spec = {"falconet._core.Op", sizeof(OpObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, slots};
  op_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!op_type) throw py::error_already_set();
  m.attr("Op") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(op_type));
  py::module_ ops = m.def_submodule("ops", "Every op of the table.");
  for (const OpDef* op : op_table()) {
    if (op->is_leaf) continue;
    OpObject* object = PyObject_New(OpObject, op_type);
    object->vectorcall = call_op;
    object->op = op;
    ops.attr(op->name) = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(object));
  }
  m.def("register_symbolic", [](py::object type, py::object call) {
    symbolic_type = type.release();
    symbolic_call = call.release();
  }, "Calls with an argument of `type` go to call(op, args, kwargs).");
  m.def("register_signature", [](py::object make) { make_signature = make.release(); },
        "make(op) gives an op's inspect.Signature when it is asked for.");
}

}  // namespace falconet::bindings
