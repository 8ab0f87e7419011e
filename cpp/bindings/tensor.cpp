#include "bindings/tensor.h"

#include <cstring>

#include "plan/eager.h"

namespace falconet::bindings {

namespace {

PyTypeObject* tensor_type = nullptr;
PyTypeObject* variable_type = nullptr;

// The C++ object inside a pybind11 instance of a simple type, without its registry.
template <class T>
T* payload(PyObject* object) {
  return static_cast<T*>(reinterpret_cast<py::detail::instance*>(object)->simple_value_holder[0]);
}

constexpr const char kTypeChars[] = "?BbHhIiQqe\0fd";

const py::dtype& numpy_dtype(DType d) {
  static const std::vector<py::dtype>* types = [] {
    auto* list = new std::vector<py::dtype>;
    for (int i = 0; i < kNumDTypes; ++i) {
      // NumPy has no bfloat16: its bits travel as float32 (see to_numpy).
      const char* names[] = {"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float32", "float64"};
      list->push_back(py::dtype(names[i]));
    }
    return list;
  }();
  return (*types)[static_cast<int>(d)];
}

// Of a NumPy dtype number; -1 where there is no counterpart.
int dtype_of(const py::array& a) {
  const auto& d = a.dtype();
  const char kind = d.kind();
  const auto size = d.itemsize();
  switch (kind) {
    case 'b': return static_cast<int>(DType::boolean);
    case 'u': return static_cast<int>(size == 1 ? DType::uint8 : size == 2 ? DType::uint16 : size == 4 ? DType::uint32 : DType::uint64);
    case 'i': return static_cast<int>(size == 1 ? DType::int8 : size == 2 ? DType::int16 : size == 4 ? DType::int32 : DType::int64);
    case 'f': return size == 2 ? static_cast<int>(DType::float16) : size == 4 ? static_cast<int>(DType::float32) : size == 8 ? static_cast<int>(DType::float64) : -1;
    default: return -1;
  }
}

std::timed_mutex& eager_mutex() {
  static auto* mutex = new std::timed_mutex;
  return *mutex;
}

// Of an object that C++ holds, from any thread.
void release_object(void* object) {
  if (!Py_IsInitialized()) return;
  const PyGILState_STATE state = PyGILState_Ensure();
  Py_DECREF(static_cast<PyObject*>(object));
  PyGILState_Release(state);
}

EagerOps& eager_ops() {
  static auto* ops = new EagerOps;
  return *ops;
}

}  // namespace

Context& context() {
  thread_local Context c;
  return c;
}

EagerLock::EagerLock() {
  if (eager_mutex().try_lock()) return;
  Unlocked unlocked;
  eager_mutex().lock();
}
EagerLock::~EagerLock() { eager_mutex().unlock(); }

std::vector<Concrete> run_below(size_t tapes, const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs) {
  Context& c = context();
  while (tapes > 0) {
    Tape* tape = c.tapes[--tapes];
    for (const Concrete& x : inputs) {
      if (tape->watches(x)) return tape->compute(op, attrs, inputs);
    }
  }
  EagerLock lock;
  return eager_ops().run(op, attrs, inputs);
}

Concrete Variable::concrete() {
  if (array_version != state->version) {
    array_version = state->version;
    array_id = new_array_id();
  }
  return {state->array, array_id};
}

const Spec& Operand::spec() const {
  return kind == traced ? tensor->spec() : kind == variable ? var->state->array.spec : value.array.spec;
}

Tensor* as_tensor(PyObject* o) {
  return Py_TYPE(o) == tensor_type || PyType_IsSubtype(Py_TYPE(o), tensor_type) ? payload<Tensor>(o) : nullptr;
}
Variable* as_variable(PyObject* o) { return PyType_IsSubtype(Py_TYPE(o), variable_type) ? payload<Variable>(o) : nullptr; }

Operand as_operand(PyObject* o, const char* op, const char* what) {
  Operand operand;
  if (Tensor* t = as_tensor(o)) {
    if (t->traced()) {
      operand.kind = Operand::traced;
      operand.tensor = t;
    } else {
      if (t->value.id == 0) t->value.id = new_array_id();
      operand.value = t->value;
    }
    return operand;
  }
  if (Variable* v = as_variable(o)) {
    operand.kind = Operand::variable;
    operand.var = v;
    return operand;
  }
  if (PyFloat_CheckExact(o)) {
    operand.kind = Operand::weak;
    operand.number = PyFloat_AS_DOUBLE(o);
    return operand;
  }
  if (PyBool_Check(o)) {
    operand.kind = Operand::weak;
    operand.dtype = DType::boolean;
    operand.number = static_cast<double>(operand.integer = o == Py_True);
    return operand;
  }
  if (PyLong_Check(o)) {
    int overflow = 0;
    operand.kind = Operand::weak;
    operand.dtype = DType::int32;
    operand.integer = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow) fail("[", op, "] `", what, "` is an integer beyond 64 bits");
    operand.number = static_cast<double>(operand.integer);
    if (operand.integer != static_cast<int32_t>(operand.integer)) operand.dtype = DType::int64;
    return operand;
  }
  if (py::isinstance<py::array>(o)) {
    operand.value = {from_numpy(py::reinterpret_borrow<py::array>(o), false), new_array_id()};
    return operand;
  }
  // Scalars of NumPy are as weak as Python's: sqrt(2.0) of either library must not turn float32 into float64.
  const py::handle h(o);
  if (py::hasattr(h, "dtype") && py::hasattr(h, "item") && !py::hasattr(h, "__len__")) return as_operand(h.attr("item")().ptr(), op, what);
  if (py::isinstance<py::list>(h) || py::isinstance<py::tuple>(h)) {
    // A list that holds tensors is stacked by the caller (ops.stack); one of numbers is an array.
    static const py::object* stack = new py::object(py::module_::import("falconet._convert").attr("from_sequence"));
    const py::object made = (*stack)(h);
    return as_operand(made.ptr(), op, what);
  }
  if (py::hasattr(h, "__array__")) {
    const py::array a = py::array::ensure(h);
    if (a) return as_operand(a.ptr(), op, what);
    PyErr_Clear();
  }
  fail<TypeError>("[", op, "] `", what, "` is a ", Py_TYPE(o)->tp_name, "; an array, a tensor or a number is needed");
}

Concrete concrete(const Operand& operand, DType dtype) {
  switch (operand.kind) {
    case Operand::array: return operand.value;
    case Operand::variable: return operand.var->concrete();
    case Operand::weak: {
      Array a = Array::allocate({dtype, {}});
      if (dtype == DType::int64) {
        std::memcpy(a.data(), &operand.integer, sizeof operand.integer);
      } else {
        write_scalar(a.data(), dtype, operand.number);
      }
      return {std::move(a), new_array_id()};
    }
    case Operand::traced: break;
  }
  fail<TypeError>("a value of a function being traced is needed as a number here; it has none before the function runs. "
                  "Use ops (ops.where, ops.cond, ops.while_loop) instead of Python's control flow");
}

Concrete read(const Operand& operand, DType dtype) {
  Concrete value = concrete(operand, dtype);
  const Context& c = context();
  if (operand.kind == Operand::variable && operand.var->trainable && !c.paused) {
    for (Tape* t : c.tapes) {
      if (t->watches_variables) t->watch(value);
    }
  }
  return value;
}

ValueId traced_value(Trace& trace, const std::shared_ptr<Trace>& shared, const Operand& operand, DType dtype) {
  if (operand.kind == Operand::variable) return trace.graph.read(operand.var->state);
  if (operand.kind == Operand::traced) {
    const std::shared_ptr<Trace>& home = operand.tensor->trace;
    if (home == shared) return operand.tensor->id;
    // A value of an enclosing trace enters the body through each trace between.
    if (!shared->outer) fail("a tensor of another trace was used; it has left the function that was being traced");
    const ValueId outer = traced_value(*shared->outer, shared->outer, operand, dtype);
    return trace.graph.capture(outer);
  }
  const Concrete c = concrete(operand, dtype);
  if (operand.kind == Operand::weak) return trace.graph.add_constant(c.array);
  const void* key = c.array.data();
  const auto it = trace.constants.find(key);
  if (it != trace.constants.end() && trace.graph.spec(it->second) == c.array.spec) return it->second;
  Array kept = c.array;
  if (kept.buffer->borrowed()) {  // the owner may change it while the plan lives
    kept = Array::allocate(c.array.spec);
    std::memcpy(kept.data(), c.array.data(), c.array.spec.bytes());
    return trace.graph.add_constant(std::move(kept));
  }
  return trace.constants[key] = trace.graph.add_constant(std::move(kept));
}

py::object wrap(Concrete value) {
  auto t = std::make_unique<Tensor>();
  t->value = std::move(value);
  return py::cast(std::move(t));
}

py::object wrap(const std::shared_ptr<Trace>& trace, ValueId id) {
  auto t = std::make_unique<Tensor>();
  t->trace = trace;
  t->id = id;
  return py::cast(std::move(t));
}

py::tuple shape_tuple(const Shape& shape) {
  py::tuple t(shape.rank());
  for (int i = 0; i < shape.rank(); ++i) PyTuple_SET_ITEM(t.ptr(), i, PyLong_FromLongLong(shape[i]));
  return t;
}

Shape shape_from(py::handle object) {
  Shape shape;
  if (py::isinstance<py::int_>(object)) {
    shape.push_back(object.cast<int64_t>());
    return shape;
  }
  for (py::handle d : object) shape.push_back(py::cast<int64_t>(d));
  return shape;
}

DType dtype_from(py::handle object) {
  if (py::isinstance<py::str>(object)) return dtype_from_name(object.cast<std::string>());
  if (py::hasattr(object, "__name__")) return dtype_from_name(object.attr("__name__").cast<std::string>());
  return dtype_from_name(py::str(object).cast<std::string>());
}

py::array to_numpy(const Array& array) {
  const Spec& spec = array.spec;
  std::vector<py::ssize_t> dims(spec.shape.begin(), spec.shape.end());
  if (spec.dtype == DType::bfloat16) {
    EagerLock lock;
    return to_numpy(eager_ops().run(op("cast"), {DType::float32}, {{array, 0}})[0].array);
  }
  // The array owns a share of the buffer.
  auto* keep = new std::shared_ptr<Buffer>(array.buffer);
  const py::capsule owner(keep, [](void* p) { delete static_cast<std::shared_ptr<Buffer>*>(p); });
  return py::array(numpy_dtype(spec.dtype), dims, array.data(), owner);
}

Array from_numpy(const py::array& given, bool copy) {
  const int d = dtype_of(given);
  if (d < 0) {
    fail<TypeError>("an array of dtype ", py::str(given.dtype()).cast<std::string>(), " is not supported; convert it to a number type first");
  }
  Spec spec{static_cast<DType>(d), {}};
  const py::ssize_t* dims = given.shape();
  for (py::ssize_t i = 0; i < given.ndim(); ++i) spec.shape.push_back(dims[i]);
  const bool contiguous = given.flags() & py::array::c_style;
  const bool native = given.dtype().byteorder() != '>';
  const bool aligned = reinterpret_cast<uintptr_t>(given.data()) % size_of(spec.dtype) == 0;
  if (!contiguous || !native || !aligned) {
    const py::object numpy_array = py::module_::import("numpy").attr("array");
    return from_numpy(numpy_array(given, py::arg("dtype") = numpy_dtype(spec.dtype), py::arg("order") = "C"), false);
  }
  if (copy) {
    Array made = Array::allocate(spec);
    std::memcpy(made.data(), given.data(), spec.bytes());
    return made;
  }
  const std::shared_ptr<void> owner(given.inc_ref().ptr(), release_object);
  return {spec, Buffer::borrow(const_cast<void*>(given.data()), spec.bytes(), owner), 0};
}

void forget_eager_plans() {
  EagerLock lock;
  eager_ops().clear();
}

void bind_tensor(py::module_& m) {
  py::class_<Tensor> tensor(m, "Tensor", "An immutable array, or a value of a function being traced.");
  tensor_type = reinterpret_cast<PyTypeObject*>(tensor.ptr());
  tensor.def_property_readonly("shape", [](const Tensor& t) { return shape_tuple(t.spec().shape); })
      .def_property_readonly("dtype", [](const Tensor& t) { return std::string(name_of(t.spec().dtype)); })
      .def_property_readonly("ndim", [](const Tensor& t) { return t.spec().shape.rank(); })
      .def_property_readonly("size", [](const Tensor& t) { return t.spec().size(); })
      .def_property_readonly("is_traced", &Tensor::traced)
      .def("numpy", [](const Tensor& t) {
        Operand o;
        o.kind = t.traced() ? Operand::traced : Operand::array;
        o.value = t.value;
        py::array a = to_numpy(concrete(o, t.spec().dtype).array);
        return a;
      }, "The elements as a NumPy array that shares this tensor's memory; do not write to it.");
  m.def("as_tensor", [](py::handle value, py::object dtype, bool copy) {
    Operand o = as_operand(value.ptr(), "convert_to_tensor", "x");
    const DType want = dtype.is_none() ? o.kind == Operand::weak ? o.dtype : o.spec().dtype : dtype_from(dtype);
    if (o.kind == Operand::traced || (o.kind == Operand::variable && context().trace)) {
      const std::shared_ptr<Trace> trace = context().trace ? context().trace : o.tensor->trace;
      Emitter emit(trace->graph);
      return wrap(trace, emit.cast(traced_value(*trace, trace, o, want), want));
    }
    Concrete c = read(o, want);
    const size_t tapes = context().paused ? 0 : context().tapes.size();
    if (c.array.spec.dtype != want) return wrap(run_below(tapes, op("cast"), {want}, {c})[0]);
    if (o.kind == Operand::variable) return wrap(run_below(tapes, op("copy"), {}, {c})[0]);
    if (copy && c.array.buffer->borrowed()) {
      Array own = Array::allocate(c.array.spec);
      std::memcpy(own.data(), c.array.data(), own.spec.bytes());
      c.array = own;
    }
    return wrap(std::move(c));
  }, py::arg("value"), py::arg("dtype") = py::none(), py::arg("copy") = true,
     "Any operand as a Tensor, in its own dtype or the one given.");

  py::class_<Variable> variable(m, "VariableBase", "State that plans read and update in place.");
  variable_type = reinterpret_cast<PyTypeObject*>(variable.ptr());
  variable.def(py::init([](py::handle value, bool trainable, const std::string& name) {
        Operand o = as_operand(value.ptr(), "Variable", "initializer");
        const Concrete c = concrete(o, o.dtype);
        Variable v;
        v.state = std::make_shared<VariableState>();
        v.state->array = Array::allocate(c.array.spec);
        std::memcpy(v.state->array.data(), c.array.data(), c.array.spec.bytes());
        v.state->name = name;
        v.trainable = trainable;
        return v;
      }), py::arg("value"), py::arg("trainable") = true, py::arg("name") = "variable")
      .def_property_readonly("_shape", [](const Variable& v) { return shape_tuple(v.state->array.spec.shape); })
      .def_property_readonly("_dtype", [](const Variable& v) { return std::string(name_of(v.state->array.spec.dtype)); })
      .def_property("_trainable", [](const Variable& v) { return v.trainable; }, [](Variable& v, bool t) { v.trainable = t; })
      .def_property("_name", [](const Variable& v) { return v.state->name; }, [](Variable& v, std::string n) { v.state->name = std::move(n); })
      .def("_numpy", [](const Variable& v) {
        Array copy = Array::allocate(v.state->array.spec);
        std::memcpy(copy.data(), v.state->array.data(), copy.spec.bytes());
        return to_numpy(copy);
      }, "A copy of the elements.")
      .def("_assign", [](Variable& v, py::handle value) {
        Operand o = as_operand(value.ptr(), "assign", "value");
        const Spec& want = v.state->array.spec;
        if (std::shared_ptr<Trace> trace = context().trace) {
          Emitter emit(trace->graph);
          ValueId id = emit.cast(traced_value(*trace, trace, o, want.dtype), want.dtype);
          if (emit.shape(id) != want.shape && emit.shape(id).size() == 1 && emit.shape(id).rank() == 0) id = emit.broadcast_to(id, want.shape);
          trace->graph.assign(v.state, id);
          return;
        }
        Concrete c = concrete(o, want.dtype);
        if (c.array.spec.shape != want.shape) {
          if (c.array.spec.shape.rank() != 0) {
            fail("variable \"", v.state->name, "\" has shape ", want.shape, " and cannot be assigned a value of shape ", c.array.spec.shape);
          }
          c = run_below(0, op("broadcast_to"), {Ints(want.shape.begin(), want.shape.end())}, {c})[0];
        }
        if (c.array.spec.dtype != want.dtype) c = run_below(0, op("cast"), {want.dtype}, {c})[0];
        std::memmove(v.state->array.data(), c.array.data(), want.bytes());
        ++v.state->version;
        if (v.state->flat) ++v.state->flat->version;
      });
  // One buffer for all: the variables become parts of `target`, whose own contents are replaced.
  m.def("flatten_into", [](Variable& target, const std::vector<py::object>& given) {
    int64_t total = 0;
    std::vector<std::shared_ptr<VariableState>> states;
    for (const py::object& o : given) {
      Variable* v = as_variable(o.ptr());
      if (!v) fail<TypeError>("[flatten_into] needs Variables, got ", Py_TYPE(o.ptr())->tp_name);
      if (v->state->array.spec.dtype != as_variable(given[0].ptr())->state->array.spec.dtype) fail("[flatten_into] dtypes differ");
      states.push_back(v->state);
      total += v->state->array.spec.size();
    }
    const auto flat = std::make_shared<VariableState>();
    const DType dtype = states.empty() ? DType::float32 : states[0]->array.spec.dtype;
    flat->array = Array::allocate({dtype, {total}});
    flat->name = target.state->name;
    int64_t at = 0;
    for (auto& s : states) {
      const int64_t bytes = s->array.spec.bytes();
      std::memcpy(flat->array.data() + at * size_of(dtype), s->array.data(), bytes);
      s->array.buffer = flat->array.buffer;
      s->array.offset = at * size_of(dtype);
      s->flat = flat;
      s->flat_begin = at;
      at += s->array.spec.size();
    }
    target.state = flat;
  }, py::arg("target"), py::arg("variables"));
}

}  // namespace falconet::bindings
