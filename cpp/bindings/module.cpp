// The extension module: errors, the processor, threads; then each part of the bindings.
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "bindings/call.h"
#include "kernels/kernels.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  using namespace falconet;
  m.doc() = "Falconet's native core.";
  m.attr("__version__") = FALCONET_VERSION;
  // Later registrations are tried first: the most derived last.
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const ValueError& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const TypeError& e) {
      PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const Error& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
  m.def("num_threads", &pool::num_threads, "Threads a plan may use.");
  const auto renew = [] {
    bindings::forget_eager_plans();
    bindings::plans_are_stale();
  };
  m.def("set_num_threads", [renew](int n) {
    pool::set_num_threads(n);
    renew();
  }, py::arg("n"), "Threads a plan may use; results do not depend on it.");
  m.def("isa", [] { return std::string(kernels().isa); }, "The instruction set whose kernels are in use.");
  m.def("available_isas", [] {
    std::vector<std::string> names;
    for (const Kernels* k : available_kernels()) names.push_back(k->isa);
    return names;
  });
  m.def("use_isa", [renew](const std::string& name) {
    use_isa(name);
    renew();
  }, py::arg("name"));
  bindings::bind_tensor(m);
  bindings::bind_ops(m);
  bindings::bind_trace(m);
  bindings::bind_program(m);
  bindings::bind_format(m);
  bindings::bind_listing(m);
  bindings::bind_serve(m);
  bindings::bind_call(m);  // after the classes that its signatures name
}
