// Writing model files from recordings, and looking into them.
#include <algorithm>
#include <set>

#include "bindings/tensor.h"
#include "format/container.h"
#include "format/model_file.h"
#include "graph/check_node.h"
#include "graph/simplify.h"
#include "plan/planner.h"

namespace falconet::bindings {

namespace {

// What Python says of a variable: (Variable, name, role, trainable). Of those only the weights, what the recordings use
// (`found`), and parts of flat variables they use are kept.
void add_variables(Model& model, const py::list& given, const std::vector<std::shared_ptr<VariableState>>& found,
                   std::vector<std::shared_ptr<VariableState>>& states) {
  const auto is_used = [&](const std::shared_ptr<VariableState>& state) {
    return state && std::find(found.begin(), found.end(), state) != found.end();
  };
  for (py::handle item : given) {
    const auto entry = py::cast<py::tuple>(item);
    Variable* v = as_variable(entry[0].ptr());
    if (!v) fail<TypeError>("[export] needs Variables, got ", Py_TYPE(entry[0].ptr())->tp_name);
    ModelVariable made;
    made.name = py::cast<std::string>(entry[1]);
    made.role = py::cast<std::string>(entry[2]);
    made.trainable = py::cast<bool>(entry[3]);
    if (made.role != "weight" && !is_used(v->state) && !is_used(v->state->flat)) continue;
    states.push_back(v->state);
    model.variables.push_back(std::move(made));
  }
}

std::shared_ptr<const BatchGraph> fit_graph(const py::dict& signature,
                                            std::vector<std::shared_ptr<VariableState>>& states) {
  std::vector<const Graph*> graphs;
  for (py::handle g : signature["graphs"]) graphs.push_back(&py::cast<std::shared_ptr<Trace>>(g)->graph);
  return BatchGraph::fit(graphs, py::cast<std::vector<int64_t>>(signature["rows"]), states);
}

// Variables that only recordings know: the flat ones, and others that a step of the user's own uses.
void add_found_variables(Model& model, const std::vector<std::shared_ptr<VariableState>>& states) {
  for (size_t i = model.variables.size(); i < states.size(); ++i) {
    ModelVariable made;
    made.name = states[i]->name;
    made.role = "state";
    for (const auto& other : states) {
      if (other->flat == states[i]) made.role = "flat";
    }
    model.variables.push_back(std::move(made));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < states.size(); ++i) {
    ModelVariable& v = model.variables[i];
    const std::string name = v.name;
    for (int again = 1; !names.insert(v.name).second; ++again) v.name = name + "_" + std::to_string(again);
    v.spec = states[i]->array.spec;
    if (v.role != "flat") v.value = states[i]->array;
    for (size_t f = 0; states[i]->flat && f < states.size(); ++f) {
      if (states[f] != states[i]->flat) continue;
      v.flat = static_cast<int>(f);
      v.flat_begin = states[i]->flat_begin;
    }
  }
}

// A flat variable is stored as its parts: they must be there.
void check_flats(const Model& model) {
  for (size_t i = 0; i < model.variables.size(); ++i) {
    const ModelVariable& flat = model.variables[i];
    if (flat.role != "flat") continue;
    int64_t covered = 0;
    for (const ModelVariable& v : model.variables) covered += v.flat == static_cast<int>(i) ? v.spec.size() : 0;
    if (covered != flat.spec.size()) {
      fail("[export] ", flat.spec.size() - covered, " elements of the flat variable \"", flat.name,
           "\" belong to variables that are "
           "neither the model's nor its optimizer's");
    }
  }
}

std::vector<Port> ports(const py::object& names, const std::vector<BatchSpec>& specs, const char* what) {
  const auto list = py::cast<std::vector<std::string>>(names);
  if (list.size() != specs.size()) fail("[export] ", list.size(), " names came for ", specs.size(), " ", what);
  std::vector<Port> made;
  for (size_t i = 0; i < list.size(); ++i) made.push_back({list[i], specs[i]});
  return made;
}

// Shapes of the results, from graphs at three batch sizes.
std::vector<BatchSpec> output_specs(const py::dict& signature) {
  const auto rows = py::cast<std::vector<int64_t>>(signature["rows"]);
  std::vector<const Graph*> graphs;
  for (py::handle g : signature["graphs"]) graphs.push_back(&py::cast<std::shared_ptr<Trace>>(g)->graph);
  std::vector<BatchSpec> specs;
  for (size_t o = 0; o < graphs[0]->outputs.size(); ++o) {
    const auto shape = [&](int g) -> const Shape& { return graphs[g]->spec(graphs[g]->outputs[o]).shape; };
    BatchSpec made{graphs[0]->spec(graphs[0]->outputs[o]).dtype, {}};
    for (int d = 0; d < shape(0).rank(); ++d) {
      const int64_t per_row = (shape(1)[d] - shape(0)[d]) / (rows[1] - rows[0]),
                    fixed = shape(0)[d] - per_row * rows[0];
      made.shape.push_back({fixed, per_row});
      if (fixed + per_row * rows[2] != shape(2)[d]) {
        fail("[export] output ", o, " is ", shape(0), ", ", shape(1), " and ", shape(2), " for ", rows[0], ", ",
             rows[1], " and ", rows[2],
             " rows; "
             "its sizes must be fixed or a fixed number for each row");
      }
    }
    specs.push_back(std::move(made));
  }
  return specs;
}

// One run of a signature, from copies of the variables as they are in the file.
std::vector<Array> run_once(const Model& model, const Signature& signature, const std::vector<Array>& inputs,
                            int64_t rows) {
  const auto graph = signature.at(rows, model.make_states(true));
  std::vector<const void*> in;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Spec want = signature.inputs[i].spec.at(rows);
    if (inputs[i].spec != want)
      fail("[predict] input \"", signature.inputs[i].name, "\" is ", inputs[i].spec, "; it needs ", want);
    in.push_back(inputs[i].data());
  }
  std::vector<Array> outputs;
  std::vector<void*> out;
  for (const Port& port : signature.outputs) {
    outputs.push_back(Array::allocate(port.spec.at(rows)));
    out.push_back(outputs.back().data());
  }
  const auto plan = make_plan(*simplify(*graph, true), std::make_shared<Arena>());
  const EagerLock lock;
  plan->run(in.data(), out.data());
  return outputs;
}

std::vector<Array> arrays_of(const py::list& given, const Signature& signature) {
  if (given.size() != signature.inputs.size())
    fail("[predict] ", given.size(), " inputs came; ", signature.inputs.size(), " are needed");
  std::vector<Array> arrays;
  for (py::handle x : given) arrays.push_back(concrete(as_operand(x.ptr(), "predict", "x"), DType::float32).array);
  return arrays;
}

py::object encode(py::object path, const py::list& variables, const py::dict& signatures,
                  std::map<std::string, std::string> metadata) {
  Model model;
  model.producer = std::string("falconet ") + FALCONET_VERSION;
  model.metadata = std::move(metadata);
  std::vector<std::shared_ptr<VariableState>> found, states;
  for (auto [name, given] : signatures) fit_graph(py::cast<py::dict>(given), found);
  add_variables(model, variables, found, states);
  for (auto [name, given] : signatures) {
    const auto signature = py::cast<py::dict>(given);
    Signature made;
    made.graph = fit_graph(signature, states);
    std::vector<BatchSpec> inputs;
    for (const BatchNode* node : made.graph->input_nodes()) inputs.push_back(node->leaf->spec);
    made.inputs = ports(signature["inputs"], inputs, "inputs");
    made.outputs = ports(signature["outputs"], output_specs(signature), "outputs");
    model.signatures[py::cast<std::string>(name)] = std::move(made);
  }
  add_found_variables(model, states);
  check_flats(model);
  for (auto [name, given] : signatures) {
    const auto signature = py::cast<py::dict>(given);
    if (!signature.contains("test")) continue;
    Signature& made = model.signatures[py::cast<std::string>(name)];
    const auto rows = py::cast<int64_t>(signature["test_rows"]);
    made.test.inputs = arrays_of(py::cast<py::list>(signature["test"]), made);
    made.test.outputs = run_once(model, made, made.test.inputs, rows);
    made.test.rows = rows;
  }
  if (path.is_none()) return py::bytes(model_to_bytes(model));
  write_model(py::cast<std::string>(path), model);
  return py::none();
}

// The header of a file of arrays, whose bytes Python writes after it: entries are (name, dtype, shape, bytes).
py::bytes container_head(const py::list& arrays, const std::map<std::string, std::string>& metadata) {
  ContainerWriter writer;
  for (const auto& [key, value] : metadata) writer.set_meta(key, value);
  std::vector<py::buffer_info> kept;
  for (py::handle h : arrays) {
    const auto entry = py::cast<py::tuple>(h);
    const auto name = py::cast<std::string>(entry[0]);
    const Spec spec{dtype_from_name(py::cast<std::string>(entry[1])), shape_from(entry[2])};
    kept.push_back(py::cast<py::buffer>(entry[3]).request());
    check_size(spec, "save", kMaxValueBytes);
    if (kept.back().itemsize != 1 || kept.back().size != spec.bytes()) {
      fail("[save] tensor \"", name, "\" of ", spec, " has ", kept.back().size * kept.back().itemsize,
           " bytes; it needs ", spec.bytes());
    }
    writer.add(name, spec, kept.back().ptr);
  }
  return py::bytes(writer.head());
}

// ([(name, dtype, shape, first byte)], metadata) of a file's bytes, which must be as safe as a model file.
py::tuple parse_arrays(const py::object& data) {
  const py::buffer_info info = py::cast<py::buffer>(data).request();
  const auto bytes = static_cast<size_t>(info.size * info.itemsize);
  const auto* from = static_cast<const std::byte*>(info.ptr);
  Budget budget(bytes);
  const Container container = parse_container(from, bytes, true, budget);
  py::list arrays;
  for (const TensorEntry& e : container.tensors) {
    arrays.append(py::make_tuple(e.name, std::string(name_of(e.spec.dtype)), shape_tuple(e.spec.shape),
                                 static_cast<size_t>(container.payload - from) + e.begin));
  }
  py::dict metadata;
  for (const auto& [key, value] : container.metadata) metadata[py::str(key)] = value;
  return py::make_tuple(arrays, metadata);
}

py::tuple shape_text(const BatchSpec& spec) {
  py::tuple shape(spec.shape.size());
  for (size_t d = 0; d < spec.shape.size(); ++d) {
    const Affine& a = spec.shape[d];
    if (a.per_row == 0) {
      shape[d] = a.fixed;
    } else if (a == Affine{0, 1}) {
      shape[d] = py::none();
    } else {
      shape[d] = join_text(a.per_row, "n", a.fixed > 0 ? "+" : "", a.fixed != 0 ? std::to_string(a.fixed) : "");
    }
  }
  return shape;
}

py::list describe_ports(const std::vector<Port>& ports) {
  py::list all;
  for (const Port& p : ports) {
    py::dict d;
    d["name"] = p.name;
    d["dtype"] = std::string(name_of(p.spec.dtype));
    d["shape"] = shape_text(p.spec);
    all.append(d);
  }
  return all;
}

py::dict describe(const Model& model) {
  py::dict found, signatures;
  py::list variables;
  for (const ModelVariable& v : model.variables) {
    py::dict d;
    d["name"] = v.name;
    d["role"] = v.role;
    d["dtype"] = std::string(name_of(v.spec.dtype));
    d["shape"] = shape_tuple(v.spec.shape);
    d["bytes"] = v.value.buffer ? v.spec.bytes() : 0;
    d["trainable"] = v.trainable;
    variables.append(d);
  }
  for (const auto& [name, s] : model.signatures) {
    py::dict d;
    d["inputs"] = describe_ports(s.inputs);
    d["outputs"] = describe_ports(s.outputs);
    d["nodes"] = s.graph->nodes.size();
    d["test_rows"] = s.test.rows;
    signatures[py::str(name)] = d;
  }
  found["producer"] = model.producer;
  found["metadata"] = model.metadata;
  found["variables"] = variables;
  found["signatures"] = signatures;
  return found;
}

}  // namespace

void bind_format(py::module_& m) {
  m.def("container_head", container_head, py::arg("arrays"), py::arg("metadata"),
        "What stands before the payload of a file of arrays, given as (name, dtype, shape, bytes); see "
        "format/container.h.");
  m.def("parse_arrays", parse_arrays, py::arg("data"),
        "([(name, dtype, shape, first byte)], metadata) of a file of arrays; ValueError where it is not well-formed.");
  m.def("encode_model", encode, py::arg("path"), py::arg("variables"), py::arg("signatures"), py::arg("metadata"),
        "Writes a model file, or returns its bytes where `path` is None; saving/export.py says what goes in.");
  m.def(
      "why_not_any_batch",
      [](const py::dict& signature) -> std::string {
        std::vector<std::shared_ptr<VariableState>> states;
        try {
          fit_graph(signature, states);
        } catch (const ValueError& e) {
          return e.what();
        }
        return {};
      },
      py::arg("signature"), "Why recordings at three batch sizes are not one graph for any; empty where they are.");
  m.def(
      "describe_model", [](const std::string& path) { return describe(read_model(path)); }, py::arg("path"),
      "What a model file holds. Raises ValueError where it is not well-formed.");
  m.def(
      "run_model",
      [](const std::string& path, const std::string& name, const py::list& inputs, int64_t rows) {
        const Model model = read_model(path);
        const Signature& signature = model.signature(name);
        py::list outputs;
        for (Array& y : run_once(model, signature, arrays_of(inputs, signature), rows))
          outputs.append(wrap({std::move(y)}));
        return outputs;
      },
      py::arg("path"), py::arg("signature"), py::arg("inputs"), py::arg("rows"),
      "Reads a model file, runs one signature once on `rows` rows and forgets it again.");
  m.def(
      "check_model",
      [](const std::string& path) {
        const Model model = read_model(path);
        const Signature& signature = model.signature("predict");
        if (signature.test.rows == 0) fail("[load] ", path, " has no test");
        return compare_with_test(signature.test,
                                 run_once(model, signature, signature.test.inputs, signature.test.rows));
      },
      py::arg("path"), "Runs a model file's own test: an empty text where it holds, else what differs.");
}

}  // namespace falconet::bindings
