// A function of a model as a Python callable: NumPy arrays in, NumPy arrays out, without pybind11 on the way.
#pragma once

#include <memory>
#include <string>

#include "bindings/tensor.h"
#include "serve/learner.h"
#include "serve/predictor.h"

namespace falconet::bindings {

// What a callable runs: a predictor, or one function of a learner.
struct Callee {
  std::shared_ptr<Predictor> predictor;
  std::shared_ptr<Learner> learner;
  Learner::Function function = Learner::Function::predict;
  std::string owner;           // in messages
  bool gives_numbers = false;  // outputs without axes are Python floats, and any outputs a dict

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  // Releases the interpreter's lock where the work is worth it, or somebody else has to be waited for.
  void run(int64_t rows, const void* const* in, void* const* out) const;
};

// "train", "predict" or "evaluate".
Learner::Function function_of(const std::string& name);

// The size of an axis, "None" where it is the number of rows: for messages.
std::string text_of(const BatchSpec& spec);

void bind_call(py::module_& m);
void bind_serve(py::module_& m);

}  // namespace falconet::bindings
