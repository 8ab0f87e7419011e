#include "format/graph_json.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace falconet {

namespace {

const OpDef& input_def() {
  static const OpDef& d = op("input");
  return d;
}
const OpDef& constant_def() {
  static const OpDef& d = op("constant");
  return d;
}
const OpDef& variable_def() {
  static const OpDef& d = op("variable");
  return d;
}

// "n", "-n", "12n", "12n+3", "12n-3".
bool parse_affine(std::string_view text, Affine& to) {
  const size_t n = text.find('n');
  if (n == std::string_view::npos) return false;
  const std::string_view factor = text.substr(0, n);
  std::string_view rest = text.substr(n + 1);
  const auto whole = [](std::string_view digits, int64_t& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  to = {0, factor.empty() ? 1 : -1};
  if (!factor.empty() && factor != "-" && !whole(factor, to.per_row)) return false;
  if (rest.empty()) return true;
  if (rest.size() < 2 || (rest[0] != '+' && rest[0] != '-') || rest[1] == '-') return false;
  if (rest[0] == '+') rest.remove_prefix(1);
  return whole(rest, to.fixed);
}

constexpr const char* kSpecialReals[] = {"inf", "-inf", "nan"};

bool special_real(const std::string& text, double& value) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double values[] = {inf, -inf, std::numeric_limits<double>::quiet_NaN()};
  for (int i = 0; i < 3; ++i) {
    if (text != kSpecialReals[i]) continue;
    value = values[i];
    return true;
  }
  return false;
}

double read_real(JsonReader& json) {
  if (json.kind() != JsonReader::Kind::string) return json.number();
  const std::string text = json.string();
  double value = 0;
  if (!special_real(text, value)) json.refuse('"', text, "\" is no number; it may be inf, -inf or nan");
  return value;
}

// A constant's number, or how it follows from the number of rows.
void read_scalar_value(JsonReader& json, double& value, Affine& scalar) {
  if (json.kind() != JsonReader::Kind::string) {
    value = json.number();
    return;
  }
  const std::string text = json.string();
  if (special_real(text, value)) return;
  if (!parse_affine(text, scalar) || scalar.per_row == 0) json.refuse('"', text, "\" is no number");
}

void append_real(std::string& to, double value) {
  if (std::isfinite(value)) return append_json_number(to, value);
  append_json_string(to, kSpecialReals[std::isnan(value) ? 2 : value > 0 ? 0 : 1]);
}

// A constant of one element that a number stands for exactly.
bool is_inline(const Array& a) {
  if (a.spec.shape.rank() != 0) return false;
  std::byte again[8];
  write_scalar(again, a.spec.dtype, read_scalar(a.data(), a.spec.dtype));
  return std::memcmp(again, a.data(), static_cast<size_t>(a.spec.bytes())) == 0;
}

}  // namespace

Affine read_affine(JsonReader& json) {
  if (json.kind() != JsonReader::Kind::string) return {json.integer(), 0};
  const std::string text = json.string();
  Affine found;
  if (!parse_affine(text, found)) json.refuse('"', text, "\" is no number of rows like \"n\" or \"12n+3\"");
  return found;
}

BatchSpec read_spec_member(JsonReader& json, const std::string& key, BatchSpec spec) {
  if (key == "dtype") {
    spec.dtype = dtype_from_name(json.string());
  } else {
    json.array([&] {
      if (spec.shape.size() == kMaxRank) json.refuse("more than ", kMaxRank, " axes");
      spec.shape.push_back(read_affine(json));
    });
  }
  return spec;
}

bool GraphReader::member(const std::string& key) {
  Budget& budget = context_.budget;
  const auto value = [&] {
    const int64_t v = json_.integer();
    if (v < 0 || v >= num_values_) json_.refuse("value ", v, " is used; the nodes make ", num_values_);
    return static_cast<ValueId>(v);
  };
  if (key == "nodes") {
    seen_.add(0, key);
    json_.array([&] { node(); });
  } else if (key == "results") {
    seen_.add(1, key);
    seen_.require(0, "nodes");
    json_.array([&] { budget.push_back(graph_->outputs, value()); });
  } else if (key == "updates") {
    seen_.add(2, key);
    seen_.require(0, "nodes");
    json_.array([&] {
      BatchGraph::Update update{-1, kNoValue};
      int count = 0;
      json_.array([&] {
        if (count == 2) json_.refuse("an update is a variable and a value");
        if (count++ == 1) {
          update.value = value();
          return;
        }
        const int64_t v = json_.integer();
        if (v < 0 || v >= context_.num_variables)
          json_.refuse("variable ", v, " is updated; there are ", context_.num_variables);
        update.variable = static_cast<int>(v);
      });
      if (count != 2) json_.refuse("an update is a variable and a value");
      budget.push_back(graph_->updates, update);
    });
  } else {
    return false;
  }
  return true;
}

std::shared_ptr<const BatchGraph> GraphReader::finish() {
  seen_.require(0, "nodes");
  seen_.require(1, "results");
  return graph_;
}

std::shared_ptr<const BatchGraph> read_graph(JsonReader& json, GraphContext& context) {
  GraphReader reader(json, context);
  json.object([&](const std::string& key) {
    if (key == "updates") json.refuse("a body updates variables; only a whole graph may");
    if (!reader.member(key)) json.unknown_key(key);
  });
  return reader.finish();
}

BatchAttr GraphReader::attribute(const AttrDef& def) {
  switch (def.kind) {
    case AttrKind::boolean:
      return json_.boolean();
    case AttrKind::integer:
      return read_affine(json_);
    case AttrKind::real:
      return read_real(json_);
    case AttrKind::text:
      return json_.string();
    case AttrKind::dtype:
      return dtype_from_name(json_.string());
    case AttrKind::graph:
      return read_graph(json_, context_);
    case AttrKind::ints: {
      AffineInts list;
      json_.array([&] { context_.budget.push_back(list, read_affine(json_)); });
      return list;
    }
    case AttrKind::callback:
      break;
  }
  json_.refuse("`", def.name, "` is a function, which no file has");
}

void GraphReader::node() {
  Budget& budget = context_.budget;
  BatchNode made;
  BatchLeaf leaf;
  SeenKeys seen(json_);
  std::string tensor;
  double value = 0;
  Affine scalar;
  enum : unsigned { kOp, kIn, kAttrs, kOut, kDtype, kShape, kVariable, kTensor, kValue };
  json_.object([&](const std::string& key) {
    if (key == "op") {
      seen.add(kOp, key);
      const std::string name = json_.string();
      made.op = find_op(name);
      if (!made.op) json_.refuse("there is no op \"", name, '"');
      const bool is_leaf = made.op->is_leaf;
      if (!is_leaf && (made.op->compose || !made.op->infer)) json_.refuse("op \"", name, "\" does not stand in files");
      for (const AttrDef& def : made.op->attrs) {
        if (def.kind == AttrKind::callback) json_.refuse("op \"", name, "\" needs a function, which no file has");
      }
      return;
    }
    if (!made.op) json_.refuse("\"op\" must come first");
    const bool is_leaf = made.op->is_leaf;
    if (key == "in" && !is_leaf) {
      seen.add(kIn, key);
      json_.array([&] {
        const int64_t v = json_.integer();
        if (v < 0 || v >= num_values_)
          json_.refuse(made.op->name, " reads value ", v, "; ", num_values_, " come before it");
        budget.push_back(made.inputs, static_cast<ValueId>(v));
      });
    } else if (key == "attrs" && !is_leaf) {
      seen.add(kAttrs, key);
      const auto& defs = made.op->attrs;
      budget.charge(defs.size() * sizeof(BatchAttr) + Budget::kOverhead);
      made.attrs.resize(defs.size());
      unsigned had = 0;
      json_.object([&](const std::string& name) {
        size_t i = 0;
        while (i < defs.size() && name != defs[i].name) ++i;
        if (i == defs.size()) json_.refuse(made.op->name, " has no attribute \"", name, '"');
        if (had >> i & 1) json_.refuse("attribute \"", name, "\" comes twice");
        had |= 1u << i;
        made.attrs[i] = attribute(defs[i]);
      });
    } else if (key == "out" && !is_leaf) {
      seen.add(kOut, key);
      const int64_t count = json_.integer();
      if (count < 0 || count > 65536) json_.refuse(made.op->name, " is said to have ", count, " results");
      made.num_outputs = static_cast<int>(count);
    } else if (key == "dtype" && (made.op == &input_def() || made.op == &constant_def())) {
      seen.add(kDtype, key);
      leaf.spec = read_spec_member(json_, key, leaf.spec);
    } else if (key == "shape" && made.op == &input_def()) {
      seen.add(kShape, key);
      leaf.spec = read_spec_member(json_, key, leaf.spec);
    } else if (key == "variable" && made.op == &variable_def()) {
      seen.add(kVariable, key);
      const int64_t v = json_.integer();
      if (v < 0 || v >= context_.num_variables)
        json_.refuse("variable ", v, " is read; there are ", context_.num_variables);
      made.variable = static_cast<int>(v);
    } else if (key == "tensor" && made.op == &constant_def()) {
      seen.add(kTensor, key);
      tensor = json_.string();
    } else if (key == "value" && made.op == &constant_def()) {
      seen.add(kValue, key);
      seen.require(kDtype, "dtype");
      read_scalar_value(json_, value, scalar);
    } else {
      json_.unknown_key(key);
    }
  });
  seen.require(kOp, "op");
  if (made.op == &input_def()) {
    seen.require(kDtype, "dtype");
    seen.require(kShape, "shape");
  } else if (made.op == &variable_def()) {
    seen.require(kVariable, "variable");
  } else if (made.op == &constant_def()) {
    if (seen.has(kTensor) == seen.has(kValue) || (seen.has(kTensor) && seen.has(kDtype))) {
      json_.refuse("a constant has either \"tensor\", or \"dtype\" and \"value\"");
    }
    if (seen.has(kTensor)) {
      leaf.array = context_.constants.constant(tensor);
    } else if (scalar.per_row != 0) {
      leaf.scalar = scalar;
    } else {
      budget.charge(2 * kAlignment + 4 * Budget::kOverhead);
      leaf.array = Array::allocate({leaf.spec.dtype, {}});
      write_scalar(leaf.array.data(), leaf.spec.dtype, value);
    }
  }
  if (made.op->is_leaf && made.op != &variable_def()) {
    budget.charge(sizeof(BatchLeaf) + 3 * Budget::kOverhead + leaf.spec.shape.capacity() * sizeof(Affine));
    made.leaf = std::make_shared<BatchLeaf>(std::move(leaf));
  } else if (!made.op->is_leaf && made.attrs.empty() && !made.op->attrs.empty()) {
    budget.charge(made.op->attrs.size() * sizeof(BatchAttr) + Budget::kOverhead);
    made.attrs.resize(made.op->attrs.size());
  }
  if (num_values_ > (1 << 24) - made.num_outputs) json_.refuse("more than 2^24 values");
  num_values_ += made.num_outputs;
  budget.push_back(graph_->nodes, std::move(made));
}

// --- writing ---

void append_affine(std::string& to, const Affine& a) {
  if (a.per_row == 0) {
    to += std::to_string(a.fixed);
    return;
  }
  to += '"';
  if (a.per_row == -1) to += '-';
  if (a.per_row != 1 && a.per_row != -1) to += std::to_string(a.per_row);
  to += 'n';
  if (a.fixed > 0) to += '+';
  if (a.fixed != 0) to += std::to_string(a.fixed);
  to += '"';
}

void append_affines(std::string& to, const std::vector<Affine>& list) {
  to += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) to += ',';
    append_affine(to, list[i]);
  }
  to += ']';
}

void GraphWriter::write_attr(std::string& to, const BatchAttr& attr) {
  struct Visit {
    GraphWriter& writer;
    std::string& to;
    void operator()(std::monostate) const {}
    void operator()(bool v) const { to += v ? "true" : "false"; }
    void operator()(const Affine& v) const { append_affine(to, v); }
    void operator()(double v) const { append_real(to, v); }
    void operator()(const std::string& v) const { append_json_string(to, v); }
    void operator()(const AffineInts& v) const { append_affines(to, v); }
    void operator()(DType v) const { append_json_string(to, name_of(v)); }
    void operator()(const std::shared_ptr<const BatchGraph>& v) const {
      to += '{';
      writer.write(to, *v);
      to += '}';
    }
  };
  std::visit(Visit{*this, to}, attr);
}

void GraphWriter::write_node(std::string& to, const BatchNode& node) {
  to += "{\"op\":";
  append_json_string(to, node.op->name);
  if (node.op == &variable_def()) {
    to += ",\"variable\":" + std::to_string(node.variable);
  } else if (node.op == &input_def()) {
    to += ",\"dtype\":";
    append_json_string(to, name_of(node.leaf->spec.dtype));
    to += ",\"shape\":";
    append_affines(to, node.leaf->spec.shape);
  } else if (node.op == &constant_def()) {
    const BatchLeaf& leaf = *node.leaf;
    if (leaf.array.buffer && !is_inline(leaf.array)) {
      to += ",\"tensor\":";
      append_json_string(to, name_constant(leaf.array));
    } else {
      to += ",\"dtype\":";
      append_json_string(to, name_of(leaf.array.buffer ? leaf.array.spec.dtype : leaf.spec.dtype));
      to += ",\"value\":";
      if (leaf.array.buffer) {
        append_real(to, read_scalar(leaf.array.data(), leaf.array.spec.dtype));
      } else {
        append_affine(to, leaf.scalar);
      }
    }
  } else {
    to += ",\"in\":[";
    for (size_t i = 0; i < node.inputs.size(); ++i) to += (i ? "," : "") + std::to_string(node.inputs[i]);
    to += ']';
    bool first = true;
    for (size_t i = 0; i < node.attrs.size(); ++i) {
      if (std::holds_alternative<std::monostate>(node.attrs[i])) continue;
      to += first ? ",\"attrs\":{" : ",";
      first = false;
      append_json_string(to, node.op->attrs[i].name);
      to += ':';
      write_attr(to, node.attrs[i]);
    }
    if (!first) to += '}';
    if (node.num_outputs != 1) to += ",\"out\":" + std::to_string(node.num_outputs);
  }
  to += '}';
}

void GraphWriter::write(std::string& to, const BatchGraph& graph) {
  to += "\"nodes\":[";
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    to += i ? ",\n" : "\n";
    write_node(to, graph.nodes[i]);
  }
  to += "],\"results\":[";
  for (size_t i = 0; i < graph.outputs.size(); ++i) to += (i ? "," : "") + std::to_string(graph.outputs[i]);
  to += ']';
  if (graph.updates.empty()) return;
  to += ",\"updates\":[";
  for (size_t i = 0; i < graph.updates.size(); ++i) {
    const auto& u = graph.updates[i];
    to += (i ? ",[" : "[") + std::to_string(u.variable) + "," + std::to_string(u.value) + "]";
  }
  to += ']';
}

}  // namespace falconet
