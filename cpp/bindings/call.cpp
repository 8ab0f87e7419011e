// The callable. Where every argument is an array of just the right kind, as in a service's loop, it goes straight to
// the plan; for anything else it calls its method `_call_any`, written in Python, which casts and comes back through
// `call_run`.
#include "bindings/call.h"

#include <structmember.h>

#include <algorithm>
#include <cstring>

namespace falconet::bindings {

namespace {

using ArrayProxy = py::detail::PyArray_Proxy;
using NumPy = py::detail::npy_api;

// Work below this (about the flops; some 20 microseconds) is over before another thread could use the interpreter.
constexpr int64_t kReleaseCost = 2'000'000;

constexpr int kMaxPorts = 16;  // of the straight way

struct PortInfo {
  PyObject* descr;  // NumPy's one object for the dtype; null for bfloat16, which NumPy has not
  std::vector<Affine> shape;
  int64_t item_bytes;
  PyObject* name;
};

// Everything a call looks at, found once.
struct Signature {
  Callee callee;
  std::vector<PortInfo> inputs, outputs;
  int rows_port = -1, rows_axis = 0;  // an axis that tells the number of rows; -1: there is none
  bool is_plain = true;               // the straight way exists

  ~Signature() {
    for (auto* ports : {&inputs, &outputs}) {
      for (PortInfo& p : *ports) {
        Py_XDECREF(p.descr);
        Py_DECREF(p.name);
      }
    }
  }
};

struct CallObject {
  PyObject_HEAD vectorcallfunc call;
  Signature* signature;
};

PyObject* out_name = nullptr;
PyObject* call_any_name = nullptr;

PortInfo info_of(const Port& port) {
  PortInfo info;
  info.descr =
      port.spec.dtype == DType::bfloat16 ? nullptr : py::dtype(std::string(name_of(port.spec.dtype))).release().ptr();
  info.shape = port.spec.shape;
  info.item_bytes = size_of(port.spec.dtype);
  info.name = py::str(port.name).release().ptr();
  PyUnicode_InternInPlace(&info.name);
  return info;
}

// Sets the Python error for whatever is being thrown.
void set_python_error() {
  try {
    throw;
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
}

bool is_array(PyObject* o) { return Py_TYPE(o) == NumPy::get().PyArray_Type_; }

bool overlaps(const void* a, int64_t a_bytes, const void* b, int64_t b_bytes) {
  const auto from_a = reinterpret_cast<uintptr_t>(a), from_b = reinterpret_cast<uintptr_t>(b);
  return from_a < from_b + static_cast<uintptr_t>(b_bytes) && from_b < from_a + static_cast<uintptr_t>(a_bytes);
}

// Whether `array` is of the port's dtype and shape, contiguous and aligned; its bytes.
bool fits(const ArrayProxy* array, const PortInfo& port, int64_t rows, int flags, int64_t& bytes) {
  if (array->descr != port.descr || (array->flags & flags) != flags ||
      array->nd != static_cast<int>(port.shape.size())) {
    return false;
  }
  bytes = port.item_bytes;
  for (int d = 0; d < array->nd; ++d) {
    const int64_t size = port.shape[d].fixed + port.shape[d].per_row * rows;
    if (array->dimensions[d] != size) return false;
    bytes *= size;
  }
  return true;
}

// The number of rows that an axis of this size stands for; -1 where it stands for none.
int64_t rows_of(int64_t size, const Affine& axis) {
  const int64_t rest = size - axis.fixed;
  return rest >= 0 && rest % axis.per_row == 0 ? rest / axis.per_row : -1;
}

PyObject* new_array(const PortInfo& port, int64_t rows) {
  Py_intptr_t dims[kMaxRank];
  for (size_t d = 0; d < port.shape.size(); ++d) dims[d] = port.shape[d].fixed + port.shape[d].per_row * rows;
  Py_INCREF(port.descr);  // taken over
  NumPy& numpy = NumPy::get();
  return numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, port.descr, static_cast<int>(port.shape.size()), dims,
                                     nullptr, nullptr, 0, nullptr);
}

void* data_of(PyObject* array) { return reinterpret_cast<ArrayProxy*>(array)->data; }

PyObject* as_number(PyObject* array, const PortInfo& port) {
  if (!port.shape.empty()) return array;
  const ArrayProxy* a = reinterpret_cast<ArrayProxy*>(array);
  PyObject* number = port.item_bytes == 4 ? PyFloat_FromDouble(*reinterpret_cast<const float*>(a->data))
                                          : PyFloat_FromDouble(*reinterpret_cast<const double*>(a->data));
  Py_DECREF(array);
  return number;
}

bool is_number(const PortInfo& port, const Port& described) {
  return port.shape.empty() && (described.spec.dtype == DType::float32 || described.spec.dtype == DType::float64);
}

// The outputs as the caller gets them; takes over the arrays' references, also where it fails.
PyObject* pack(const Signature& s, PyObject** arrays) {
  const size_t count = s.outputs.size();
  if (count == 1 && !s.callee.gives_numbers) return arrays[0];
  PyObject* dict = PyDict_New();
  for (size_t i = 0; i < count; ++i) {
    PyObject* value = arrays[i];
    if (dict && s.callee.gives_numbers && is_number(s.outputs[i], s.callee.outputs()[i])) {
      value = as_number(value, s.outputs[i]);
    }
    if (!value || (dict && PyDict_SetItem(dict, s.outputs[i].name, value) != 0)) Py_CLEAR(dict);
    Py_XDECREF(value);
  }
  return dict;
}

// The straight way. Null without an error where the arguments are not made for it.
PyObject* call_straight(const Signature& s, PyObject* const* args, size_t count, PyObject* out) {
  const void* in[kMaxPorts];
  int64_t in_bytes[kMaxPorts];
  void* results[kMaxPorts];
  PyObject* arrays[kMaxPorts];
  if (!s.is_plain || count != s.inputs.size()) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (!is_array(args[i])) return nullptr;
  }
  int64_t rows = 1;
  if (s.rows_port >= 0) {
    const ArrayProxy* a = reinterpret_cast<ArrayProxy*>(args[s.rows_port]);
    const std::vector<Affine>& shape = s.inputs[s.rows_port].shape;
    if (a->nd != static_cast<int>(shape.size())) return nullptr;
    rows = rows_of(a->dimensions[s.rows_axis], shape[s.rows_axis]);
    if (rows < 0) return nullptr;
  }
  constexpr int kReadable = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  constexpr int kWritable = kReadable | py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  for (size_t i = 0; i < count; ++i) {
    const ArrayProxy* a = reinterpret_cast<ArrayProxy*>(args[i]);
    if (!fits(a, s.inputs[i], rows, kReadable, in_bytes[i])) return nullptr;
    in[i] = a->data;
  }
  const size_t num_outputs = s.outputs.size();
  if (out) {
    int64_t bytes = 0;
    if (num_outputs != 1 || s.callee.gives_numbers || !is_array(out) ||
        !fits(reinterpret_cast<ArrayProxy*>(out), s.outputs[0], rows, kWritable, bytes)) {
      return nullptr;
    }
    results[0] = data_of(out);
    for (size_t i = 0; i < count; ++i) {
      if (overlaps(results[0], bytes, in[i], in_bytes[i])) return nullptr;
    }
    Py_INCREF(out);
    arrays[0] = out;
  } else {
    for (size_t i = 0; i < num_outputs; ++i) {
      arrays[i] = new_array(s.outputs[i], rows);
      if (!arrays[i]) {
        while (i > 0) Py_DECREF(arrays[--i]);
        return nullptr;
      }
      results[i] = data_of(arrays[i]);
    }
  }
  try {
    s.callee.run(rows, in, results);
  } catch (...) {
    for (size_t i = 0; i < num_outputs; ++i) Py_DECREF(arrays[i]);
    set_python_error();
    return nullptr;
  }
  return pack(s, arrays);
}

PyObject* call(PyObject* self, PyObject* const* args, size_t flags_and_count, PyObject* names) {
  const Signature* s = reinterpret_cast<CallObject*>(self)->signature;
  const size_t count = PyVectorcall_NARGS(flags_and_count);
  if (!s) {
    PyErr_SetString(PyExc_TypeError, "the object was never initialised: call super().__init__() first");
    return nullptr;
  }
  const Py_ssize_t num_names = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject* out = nullptr;
  bool straight = num_names == 0;
  if (num_names == 1 && PyTuple_GET_ITEM(names, 0) == out_name) {
    straight = true;
    if (args[count] != Py_None) out = args[count];
  }
  if (straight) {
    PyObject* result = call_straight(*s, args, count, out);
    if (result || PyErr_Occurred()) return result;
  }
  // As a method: self before the arguments.
  std::vector<PyObject*> all = {self};
  all.insert(all.end(), args, args + count + num_names);
  return PyObject_VectorcallMethod(call_any_name, all.data(), count + 1, names);
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self) reinterpret_cast<CallObject*>(self)->call = call;
  return self;
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete reinterpret_cast<CallObject*>(self)->signature;
  type->tp_free(self);
  Py_DECREF(type);
}

PyTypeObject* call_type = nullptr;

Signature& signature_of(py::handle self) {
  if (!PyType_IsSubtype(Py_TYPE(self.ptr()), call_type)) fail<TypeError>("[call] needs a Call");
  Signature* s = reinterpret_cast<CallObject*>(self.ptr())->signature;
  if (!s) fail<TypeError>("the object was never initialised: call super().__init__() first");
  return *s;
}

void attach(py::handle self, Callee callee) {
  if (!PyType_IsSubtype(Py_TYPE(self.ptr()), call_type)) fail<TypeError>("[call] needs a Call");
  // Another thread may be inside a call, which reads the signature after it has computed.
  if (reinterpret_cast<CallObject*>(self.ptr())->signature) {
    fail<TypeError>("[", callee.owner, "] was initialised already: make another one, or use update() for other weights");
  }
  auto s = std::make_unique<Signature>();
  s->callee = std::move(callee);
  for (const Port& p : s->callee.inputs()) s->inputs.push_back(info_of(p));
  for (const Port& p : s->callee.outputs()) s->outputs.push_back(info_of(p));
  s->is_plain = s->inputs.size() <= kMaxPorts && s->outputs.size() <= kMaxPorts;
  for (auto* ports : {&s->inputs, &s->outputs}) {
    for (const PortInfo& p : *ports) s->is_plain &= p.descr != nullptr;
  }
  for (size_t i = 0; i < s->inputs.size() && s->rows_port < 0; ++i) {
    for (size_t d = 0; d < s->inputs[i].shape.size() && s->rows_port < 0; ++d) {
      if (s->inputs[i].shape[d].per_row <= 0) continue;
      s->rows_port = static_cast<int>(i);
      s->rows_axis = static_cast<int>(d);
    }
  }
  reinterpret_cast<CallObject*>(self.ptr())->signature = s.release();
}

// --- the other way: arrays of the right dtypes, whatever their shapes; errors name ports ---

void check_shape(const Signature& s, const std::string& kind, const Port& port, const Shape& shape, int64_t rows) {
  const Shape want = port.spec.at(rows).shape;
  if (shape == want) return;
  const std::string start = join_text("[", s.callee.owner, "] ", kind, " \"", port.name, "\" has shape ", shape);
  if (shape.rank() + 1 == want.rank() && rows >= 0 && std::equal(shape.begin(), shape.end(), want.begin() + 1)) {
    fail(start, "; ", text_of(port.spec), " is needed. For a single sample give x[None, :]");
  }
  bool only_rows = shape.rank() == want.rank();
  for (int d = 0; only_rows && d < shape.rank(); ++d)
    only_rows = shape[d] == want[d] || port.spec.shape[d].per_row != 0;
  if (only_rows) fail(start, "; ", want, " is needed for ", rows, " rows");
  fail(start, "; ", text_of(port.spec), " is needed");
}

py::object call_run(py::handle self, const std::vector<py::array>& given, const py::object& outs) {
  Signature& s = signature_of(self);
  const std::vector<Port>& ports = s.callee.inputs();
  if (given.size() != ports.size())
    fail("[", s.callee.owner, "] got ", given.size(), " inputs; ", ports.size(), " are needed");
  std::vector<Array> arrays;
  for (size_t i = 0; i < given.size(); ++i) {
    Array a = from_numpy(given[i], false);
    const DType want = ports[i].spec.dtype;
    if (want == DType::bfloat16 && a.spec.dtype == DType::float32)
      a = run_below(0, op("cast"), {want}, {{a, 0}})[0].array;
    if (a.spec.dtype != want) {
      fail<TypeError>("[", s.callee.owner, "] input \"", ports[i].name, "\" has dtype ", name_of(a.spec.dtype), "; ",
                      name_of(want), " is needed");
    }
    arrays.push_back(std::move(a));
  }
  int64_t rows = 1;
  if (s.rows_port >= 0) {
    const Shape& shape = arrays[s.rows_port].spec.shape;
    const std::vector<Affine>& want = ports[s.rows_port].spec.shape;
    if (shape.rank() == static_cast<int>(want.size())) rows = rows_of(shape[s.rows_axis], want[s.rows_axis]);
    if (rows < 0) rows = 1;  // no number of rows fits: the check below says so
  }
  std::vector<const void*> in;
  for (size_t i = 0; i < arrays.size(); ++i) {
    check_shape(s, "input", ports[i], arrays[i].spec.shape, rows);
    in.push_back(arrays[i].data());
  }
  const std::vector<Port>& results = s.callee.outputs();
  std::vector<py::array> wanted;
  if (!outs.is_none()) wanted = outs.cast<std::vector<py::array>>();
  std::vector<Array> made;
  std::vector<void*> out;
  for (size_t i = 0; i < results.size(); ++i) {
    const Spec spec = results[i].spec.at(rows);
    if (outs.is_none()) {
      made.push_back(Array::allocate(spec));
      out.push_back(made.back().data());
      continue;
    }
    const py::array& a = wanted.at(i);
    Shape shape;
    for (py::ssize_t d = 0; d < a.ndim(); ++d) shape.push_back(a.shape(d));
    check_shape(s, "`out` for", results[i], shape, rows);
    const bool plain = (a.flags() & py::array::c_style) && a.writeable() && a.dtype().byteorder() != '>' &&
                       reinterpret_cast<uintptr_t>(a.data()) % size_of(spec.dtype) == 0;
    if (!s.outputs[i].descr || !a.dtype().is(py::reinterpret_borrow<py::object>(s.outputs[i].descr)) || !plain) {
      fail<TypeError>("[", s.callee.owner, "] `out` for \"", results[i].name, "\" is an array of ",
                      py::str(a.dtype()).cast<std::string>(), plain ? "" : " that is not contiguous or not writable",
                      "; ", name_of(spec.dtype), " in C order, writable, is needed");
    }
    for (size_t k = 0; k < in.size(); ++k) {
      if (overlaps(a.data(), spec.bytes(), in[k], arrays[k].spec.bytes())) {
        fail("[", s.callee.owner, "] `out` for \"", results[i].name, "\" shares memory with input \"", ports[k].name,
             "\"");
      }
    }
    out.push_back(const_cast<void*>(a.data()));
  }
  s.callee.run(rows, in.data(), out.data());
  std::vector<PyObject*> packed;
  for (size_t i = 0; i < results.size(); ++i) {
    packed.push_back((outs.is_none() ? to_numpy(made[i]) : wanted[i]).release().ptr());
  }
  PyObject* result = pack(s, packed.data());
  if (!result) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

}  // namespace

const std::vector<Port>& Callee::inputs() const {
  return predictor ? predictor->inputs() : learner->signature(function).inputs;
}
const std::vector<Port>& Callee::outputs() const {
  return predictor ? predictor->outputs() : learner->signature(function).outputs;
}

void Callee::run(int64_t rows, const void* const* in, void* const* out) const {
  const auto run_unless_long = [&](auto&& claim) {
    if (claim.cost() < kReleaseCost) return claim.run(in, out);
    const Unlocked unlocked;
    claim.run(in, out);
  };
  if (predictor) {
    if (!predictor->would_wait()) return run_unless_long(Predictor::Claim(*predictor, rows));
    const Unlocked unlocked;
    predictor->run(rows, in, out);
  } else {
    if (!learner->would_wait()) return run_unless_long(Learner::Claim(*learner, function, rows));
    const Unlocked unlocked;
    learner->run(function, rows, in, out);
  }
}

Learner::Function function_of(const std::string& name) {
  return name == "train"     ? Learner::Function::train
         : name == "predict" ? Learner::Function::predict
                             : Learner::Function::evaluate;
}

std::string text_of(const BatchSpec& spec) {
  std::string text = "(";
  for (size_t d = 0; d < spec.shape.size(); ++d) {
    const Affine& a = spec.shape[d];
    if (d > 0) text += ", ";
    text += a.per_row == 0 ? std::to_string(a.fixed) : "None";
  }
  return text + (spec.shape.size() == 1 ? ",)" : ")");
}

void bind_call(py::module_& m) {
  out_name = PyUnicode_InternFromString("out");
  call_any_name = PyUnicode_InternFromString("_call_any");
  static PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(CallObject, call), READONLY, nullptr},
                                  {}};
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(make)},
      {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_members, members},
      {Py_tp_doc, const_cast<char*>("A function of a model, called with one array for each input.")},
      {0, nullptr}};
  static PyType_Spec spec = {"falconet._core.Call", sizeof(CallObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw py::error_already_set();
  call_type = reinterpret_cast<PyTypeObject*>(type);
  m.attr("Call") = py::reinterpret_steal<py::object>(type);
  m.def(
      "call_attach",
      [](py::handle self, std::shared_ptr<Predictor> predictor, std::string owner) {
        Callee callee;
        callee.predictor = std::move(predictor);
        callee.owner = std::move(owner);
        attach(self, std::move(callee));
      },
      py::arg("call"), py::arg("predictor"), py::arg("owner"));
  m.def(
      "call_attach_learner",
      [](py::handle self, std::shared_ptr<Learner> learner, const std::string& function, std::string owner) {
        Callee callee;
        callee.learner = std::move(learner);
        callee.function = function_of(function);
        (void)callee.learner->signature(callee.function);
        callee.owner = std::move(owner);
        callee.gives_numbers = function != "predict";
        attach(self, std::move(callee));
      },
      py::arg("call"), py::arg("learner"), py::arg("function"), py::arg("owner"));
  // Before Python 3.12 a class written in Python does not inherit the quick way of being called.
  m.def(
      "call_quickly",
      [](py::type type) {
        auto* t = reinterpret_cast<PyTypeObject*>(type.ptr());
        if (!PyType_IsSubtype(t, call_type)) fail<TypeError>("[call_quickly] needs a subclass of Call");
        t->tp_vectorcall_offset = call_type->tp_vectorcall_offset;
        t->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        PyType_Modified(t);
      },
      py::arg("type"));
  m.def("call_run", &call_run, py::arg("call"), py::arg("inputs"), py::arg("outs") = py::none());
}

}  // namespace falconet::bindings
