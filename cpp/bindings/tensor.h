// What Python calls Tensor and Variable, and how anything Python passes becomes an operand.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <vector>

#include "graph/emit.h"
#include "plan/tape.h"

namespace falconet::bindings {

namespace py = pybind11;

// A graph being recorded, shared by the traced tensors that live in it.
struct Trace {
  Graph graph;
  std::shared_ptr<Trace> outer;  // the trace it was begun in, for bodies of loops and branches
  std::unordered_map<const void*, ValueId> constants;
  bool records_all = false;  // also ops of no traced operand, so that what depends on a size does so in the graph
  py::object note;  // whatever the one who traced wants back with the outputs
};

// Concrete: an array. Traced: a value of a graph.
struct Tensor {
  Concrete value;
  std::shared_ptr<Trace> trace;
  ValueId id = kNoValue;

  bool traced() const { return trace != nullptr; }
  const Spec& spec() const { return traced() ? trace->graph.spec(id) : value.array.spec; }
};

struct Variable {
  std::shared_ptr<VariableState> state;
  uint64_t array_id = 0;      // of its present contents, for tapes
  int64_t array_version = -1;
  bool trainable = true;
  Concrete concrete();
};

// The trace and tapes of this thread.
struct Context {
  std::shared_ptr<Trace> trace;
  std::vector<Tape*> tapes;
  int paused = 0;  // depth of things that tapes must not record
};
Context& context();

// What an argument turned out to be.
struct Operand {
  enum Kind : uint8_t { array, weak, traced, variable } kind = array;
  Concrete value;            // array
  double number = 0;         // weak: a Python number, whose dtype follows the other operands
  int64_t integer = 0;       // weak integers, exactly
  DType dtype = DType::float32;  // of `weak`: bool, int32 or float32 by kind
  Tensor* tensor = nullptr;  // traced
  Variable* var = nullptr;
  const Spec& spec() const;
};

Tensor* as_tensor(PyObject* object);      // null if it is none
Variable* as_variable(PyObject* object);
// Throws TypeError naming what came. `what` names the argument.
Operand as_operand(PyObject* object, const char* op, const char* what);
// The operand as a concrete array; weak numbers get `dtype`. Throws TypeError for traced ones.
Concrete concrete(const Operand& operand, DType dtype);
// The same for an op's input: tapes that watch variables take note of one that is read.
Concrete read(const Operand& operand, DType dtype);
// The operand as a value of the trace.
ValueId traced_value(Trace& trace, const std::shared_ptr<Trace>& shared, const Operand& operand, DType dtype);

py::object wrap(Concrete value);
py::object wrap(const std::shared_ptr<Trace>& trace, ValueId id);
py::array to_numpy(const Array& array);
Array from_numpy(const py::array& array, bool copy);
py::tuple shape_tuple(const Shape& shape);
Shape shape_from(py::handle object);
DType dtype_from(py::handle object);

// Without the interpreter's lock while it lives. When the interpreter shuts down, taking the lock back ends the thread by
// unwinding it, which must be able to leave this destructor (pybind11's own does not let it).
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  Unlocked(const Unlocked&) = delete;
  ~Unlocked() noexcept(false) { PyEval_RestoreThread(state_); }
  // Takes the lock for one call.
  template <class F>
  auto with_lock(F f) {
    PyEval_RestoreThread(state_);
    const auto result = f();
    state_ = PyEval_SaveThread();
    return result;
  }

 private:
  PyThreadState* state_;
};

// All plans that run in this process one at a time: eager ops and what shares their arena. Waits without the
// interpreter's lock.
class EagerLock {
 public:
  EagerLock();
  ~EagerLock();
};
// An op on concrete arrays, without tapes.
std::vector<Concrete> run_below(size_t tapes, const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs);

// After a change of threads or instruction set: plans are made anew when next needed.
void plans_are_stale();
void forget_eager_plans();

void bind_tensor(py::module_& m);
void bind_ops(py::module_& m);
void bind_trace(py::module_& m);
void bind_program(py::module_& m);
void bind_format(py::module_& m);
void bind_listing(py::module_& m);

}  // namespace falconet::bindings
