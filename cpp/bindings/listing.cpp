// A signature's graph at one batch size, as Python data: for writers of other forms of a model.
#include "bindings/tensor.h"
#include "format/model_file.h"
#include "graph/simplify.h"

namespace falconet::bindings {

namespace {

py::object attr_object(const Attr& attr) {
  struct Visit {
    py::object operator()(std::monostate) const { return py::none(); }
    py::object operator()(bool v) const { return py::bool_(v); }
    py::object operator()(int64_t v) const { return py::int_(v); }
    py::object operator()(double v) const { return py::float_(v); }
    py::object operator()(const std::string& v) const { return py::str(v); }
    py::object operator()(const Ints& v) const { return py::tuple(py::cast(v)); }
    py::object operator()(DType v) const { return py::str(std::string(name_of(v))); }
    // Bodies of loops are not listed: whoever reads the list sees the op's name.
    py::object operator()(const std::shared_ptr<const Graph>&) const { return py::none(); }
    py::object operator()(const std::shared_ptr<const Callback>&) const { return py::none(); }
  };
  return std::visit(Visit{}, attr);
}

py::tuple spec_tuple(const Spec& spec) { return py::make_tuple(std::string(name_of(spec.dtype)), shape_tuple(spec.shape)); }

py::list port_list(const std::vector<Port>& ports) {
  py::list list;
  for (const Port& p : ports) {
    const std::vector<Affine>& shape = p.spec.shape;
    bool first_is_rows = !shape.empty() && shape[0] == Affine{0, 1}, others_are_fixed = true;
    for (size_t d = 0; d < shape.size(); ++d) others_are_fixed &= shape[d].per_row == 0 || (d == 0 && first_is_rows);
    list.append(py::make_tuple(p.name, first_is_rows, others_are_fixed));
  }
  return list;
}

py::list array_list(const std::vector<Array>& arrays) {
  py::list list;
  for (const Array& a : arrays) list.append(to_numpy(a));
  return list;
}

py::dict list_graph(const py::bytes& file, const std::string& name, int64_t rows) {
  const std::string_view bytes(file);
  const Model model = read_model(bytes.data(), bytes.size(), nullptr);
  const Signature& signature = model.signature(name);
  const auto graph = simplify(*signature.at(rows, model.make_states(false)), true);
  py::list nodes, values;
  for (const Value& v : graph->values()) values.append(spec_tuple(v.spec));
  for (const Node& n : graph->nodes()) {
    py::dict attrs;
    for (size_t i = 0; i < n.op->attrs.size(); ++i) {
      attrs[n.op->attrs[i].name] = i < n.attrs.size() ? attr_object(n.attrs[i]) : py::none();
    }
    py::list outputs;
    for (int i = 0; i < n.num_outputs; ++i) outputs.append(n.output(i));
    const Array* array = n.constant.buffer ? &n.constant : n.variable ? &n.variable->array : nullptr;
    nodes.append(py::make_tuple(std::string(n.op->name), attrs, n.inputs, outputs,
                                array ? py::object(to_numpy(*array)) : py::none(),
                                n.variable ? py::object(py::str(n.variable->name)) : py::none()));
  }
  py::dict listing;
  listing["inputs"] = port_list(signature.inputs);
  listing["outputs"] = port_list(signature.outputs);
  listing["values"] = values;
  listing["nodes"] = nodes;
  listing["arguments"] = graph->inputs;
  listing["results"] = graph->outputs;
  listing["num_updates"] = graph->updates.size();
  listing["test_rows"] = signature.test.rows;
  listing["test_inputs"] = array_list(signature.test.inputs);
  listing["test_outputs"] = array_list(signature.test.outputs);
  return listing;
}

}  // namespace

void bind_listing(py::module_& m) {
  m.def("list_graph", &list_graph, py::arg("file"), py::arg("signature"), py::arg("rows"),
        "The simplified graph of a model file's signature for `rows` rows, from the file's bytes: specs of the values, and "
        "nodes (op, attributes, inputs, outputs, array of a constant or variable, name of a variable).");
}

}  // namespace falconet::bindings
