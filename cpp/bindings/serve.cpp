// Predictor and Learner: what is not the call itself (bindings/call.cpp).
#include <cstring>

#include "bindings/call.h"

namespace falconet::bindings {

namespace {

// A path, or the bytes of a model file.
Model model_from(const py::object& source) {
  if (PyBytes_Check(source.ptr())) {
    // Held without Python: predictors are destroyed wherever their last user is.
    const py::bytes bytes(source);
    const std::string_view view(bytes);
    const std::shared_ptr<Buffer> copy = Buffer::allocate(view.size());
    std::memcpy(copy->data(), view.data(), view.size());
    const Unlocked unlocked;
    return read_model(copy->data(), copy->bytes(), copy);
  }
  const auto path = source.cast<std::string>();
  const Unlocked unlocked;
  return read_model(path);
}

// Arrays that others may change, as arrays that nobody does. bfloat16, which NumPy lacks, comes as float32.
std::vector<Array> copies_of(const std::vector<py::array>& given, const std::vector<Array>& like) {
  std::vector<Array> arrays;
  for (const py::array& a : given) {
    Array copy = from_numpy(a, true);
    const bool narrows = arrays.size() < like.size() && like[arrays.size()].spec.dtype == DType::bfloat16;
    if (narrows) copy = run_below(0, op("cast"), {DType::bfloat16}, {{copy, 0}})[0].array;
    arrays.push_back(std::move(copy));
  }
  return arrays;
}

// Views of memory that must not be written to.
py::list read_only(const std::vector<Array>& arrays) {
  py::list list;
  for (const Array& a : arrays) {
    py::array view = to_numpy(a);
    view.attr("flags").attr("writeable") = false;
    list.append(view);
  }
  return list;
}

py::list own(const std::vector<Array>& arrays) {
  py::list list;
  for (const Array& a : arrays) list.append(to_numpy(a));
  return list;
}

py::list describe(const std::vector<Port>& ports) {
  py::list list;
  for (const Port& p : ports) list.append(py::make_tuple(p.name, text_of(p.spec), std::string(name_of(p.spec.dtype))));
  return list;
}

std::vector<int64_t> sizes_of(const py::object& batch_sizes) {
  std::vector<int64_t> sizes;
  for (py::handle h : batch_sizes) sizes.push_back(h.cast<int64_t>());
  return sizes;
}

}  // namespace

void bind_serve(py::module_& m) {
  using Hidden = py::call_guard<py::gil_scoped_release>;
  py::class_<Predictor, std::shared_ptr<Predictor>>(m, "NativePredictor", "See falconet.Predictor.")
      .def(py::init([](const py::object& source, int threads, const py::object& batch_sizes) {
             PredictorOptions options;
             options.threads = threads;
             options.batch_sizes = sizes_of(batch_sizes);
             Model model = model_from(source);
             const Unlocked unlocked;
             return std::make_shared<Predictor>(std::move(model), options);
           }),
           py::arg("source"), py::arg("threads"), py::arg("batch_sizes"))
      .def(
          "copy", [](Predictor& p) { return std::shared_ptr<Predictor>(p.copy()); }, Hidden())
      .def_property_readonly("inputs", [](const Predictor& p) { return describe(p.inputs()); })
      .def_property_readonly("outputs", [](const Predictor& p) { return describe(p.outputs()); })
      .def_property_readonly("producer", &Predictor::producer)
      .def_property_readonly("metadata", &Predictor::metadata)
      .def(
          "prepare",
          [](Predictor& p, const py::object& batch_sizes, int contexts) {
            const std::vector<int64_t> sizes = sizes_of(batch_sizes);
            const Unlocked unlocked;
            p.prepare(sizes, contexts);
          },
          py::arg("batch_sizes"), py::arg("contexts") = 1)
      .def_property_readonly("weight_names", &Predictor::weight_names)
      .def("weights", [](const Predictor& p) { return read_only(p.weights()); })
      .def(
          "update",
          [](Predictor& p, const std::vector<py::array>& weights) {
            std::vector<Array> copies = copies_of(weights, p.weights());
            const Unlocked unlocked;
            p.update(std::move(copies));
          },
          py::arg("weights"))
      .def(
          "update_from",
          [](Predictor& p, const py::object& source) {
            const Model model = model_from(source);
            const Unlocked unlocked;
            p.update_from(model);
          },
          py::arg("source"))
      .def_property_readonly("state_names", &Predictor::state_names)
      .def("state",
           [](Predictor& p) {
             std::vector<Array> state;
             {
               const Unlocked unlocked;
               state = p.state();
             }
             return own(state);
           })
      .def(
          "set_state",
          [](Predictor& p, const std::vector<py::array>& state) {
            const std::vector<Array> copies = copies_of(state, p.state());
            const Unlocked unlocked;
            p.set_state(copies);
          },
          py::arg("state"))
      .def("reset", &Predictor::reset, Hidden())
      .def("memory",
           [](Predictor& p) {
             const Predictor::Memory memory = p.memory();
             py::dict d;
             d["weights"] = memory.weights;
             d["packed"] = memory.packed;
             d["arenas"] = memory.arenas;
             d["contexts"] = memory.contexts;
             d["plans"] = memory.plans;
             return d;
           })
      .def("release", &Predictor::release, Hidden());

  py::class_<Learner, std::shared_ptr<Learner>>(m, "NativeLearner", "See falconet.Learner.")
      .def(py::init([](const py::object& source, int threads) {
             Model model = model_from(source);
             const Unlocked unlocked;
             return std::make_shared<Learner>(std::move(model), threads);
           }),
           py::arg("source"), py::arg("threads"))
      .def(
          "inputs",
          [](const Learner& l, const std::string& name) { return describe(l.signature(function_of(name)).inputs); },
          py::arg("function"))
      .def(
          "outputs",
          [](const Learner& l, const std::string& name) { return describe(l.signature(function_of(name)).outputs); },
          py::arg("function"))
      .def_property_readonly("has_evaluate", &Learner::has_evaluate)
      .def_property_readonly("weight_names", &Learner::weight_names)
      .def("weights",
           [](Learner& l) {
             std::vector<Array> weights;
             {
               const Unlocked unlocked;
               weights = l.weights();
             }
             return own(weights);
           })
      .def(
          "snapshot",
          [](Learner& l, Predictor& p) {
            if (l.weight_names() != p.weight_names()) {
              fail("[snapshot] the predictor is of another model: its weights have other names than the learner's");
            }
            p.update(l.weights());
          },
          py::arg("predictor"), Hidden())
      .def("reset_metrics", &Learner::reset_metrics, Hidden())
      .def(
          "save", [](Learner& l, const std::string& path) { write_model(path, l.model()); }, py::arg("path"), Hidden());
}

}  // namespace falconet::bindings
