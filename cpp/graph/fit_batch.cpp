// BatchGraph::fit: three recordings, read side by side.
#include <algorithm>
#include <cstring>

#include "graph/batch_graph.h"
#include "graph/simplify.h"

namespace falconet {

namespace {

using Variables = std::vector<std::shared_ptr<VariableState>>;

int index_of(Variables& variables, const std::shared_ptr<VariableState>& state) {
  const auto at = std::find(variables.begin(), variables.end(), state);
  const auto index = static_cast<int>(at - variables.begin());
  if (at == variables.end()) variables.push_back(state);
  return index;
}

bool same_bits(const Array& a, const Array& b) {
  return a.spec == b.spec && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.spec.bytes())) == 0;
}

// An integer at three batch sizes.
struct Sample {
  int64_t value[3];
};

class Fitter {
 public:
  Fitter(const std::vector<const Graph*>& graphs, const std::vector<int64_t>& rows, Variables& variables)
      : rows_(rows), variables_(variables) {
    for (const Graph* g : graphs) graphs_.push_back(simplify(*g, true));
  }

  std::shared_ptr<const BatchGraph> run() {
    const Graph& first = *graphs_[0];
    for (const auto& g : graphs_) {
      if (g->nodes().size() != first.nodes().size() || g->outputs != first.outputs ||
          g->updates.size() != first.updates.size()) {
        fail("[batch] the function records other ops at another batch size: ", first.nodes().size(), " nodes for ",
             rows_[0], " rows, ", g->nodes().size(), " for ", rows_[&g - graphs_.data()]);
      }
    }
    map_.assign(first.num_values(), kNoValue);
    for (size_t i = 0; i < first.nodes().size(); ++i) visit(static_cast<int>(i));
    for (ValueId v : first.outputs) made_->outputs.push_back(map_[v]);
    for (size_t i = 0; i < first.updates.size(); ++i) {
      const Graph::Update& u = first.updates[i];
      for (const auto& g : graphs_) {
        if (g->updates[i].variable != u.variable || g->updates[i].value != u.value) {
          fail("[batch] variable \"", u.variable->name, "\" is updated otherwise at another batch size");
        }
      }
      made_->updates.push_back({index_of(variables_, u.variable), map_[u.value]});
    }
    drop_dead();
    return made_;
  }

 private:
  const Node& node(int graph, int i) const { return graphs_[graph]->node(i); }

  void visit(int i) {
    static const OpDef *input = &op("input"), *marker = &op("with_gradient");
    const Node& n = node(0, i);
    for (int g = 1; g < 3; ++g) {
      const Node& other = node(g, i);
      if (other.op != n.op || other.inputs != n.inputs || other.num_outputs != n.num_outputs ||
          other.variable != n.variable) {
        fail("[batch] operation ", i, " is ", n.op->name, " for ", rows_[0], " rows and ", other.op->name, " for ",
             rows_[g], ", or reads other values");
      }
    }
    if (n.op == marker) {
      for (int o = 0; o < n.num_outputs; ++o) map_[n.output(o)] = map_[n.inputs[o]];
      return;
    }
    BatchNode made;
    made.op = n.op;
    made.num_outputs = n.num_outputs;
    for (ValueId v : n.inputs) made.inputs.push_back(map_[v]);
    if (n.op == input) {
      made.leaf = std::make_shared<BatchLeaf>(BatchLeaf{spec(i), {}, {}});
    } else if (n.constant.buffer) {
      made.leaf = constant(i);
    } else if (n.variable) {
      made.variable = index_of(variables_, n.variable);
    } else {
      for (size_t a = 0; a < n.attrs.size(); ++a) made.attrs.push_back(attr(i, static_cast<int>(a)));
    }
    for (int o = 0; o < n.num_outputs; ++o) map_[n.output(o)] = next_++;
    made_->nodes.push_back(std::move(made));
  }

  // The line through the first two, if the third lies on it.
  bool fits(const Sample& s, Affine& line) const {
    const int64_t run = rows_[1] - rows_[0], rise = s.value[1] - s.value[0];
    if (rise % run != 0) return false;
    line.per_row = rise / run;
    line.fixed = s.value[0] - line.per_row * rows_[0];
    return line.fixed + line.per_row * rows_[2] == s.value[2];
  }

  Affine affine(const Sample& s, const char* op_name, const char* what) const {
    Affine line;
    if (!fits(s, line)) {
      fail("[batch] `", what, "` of ", op_name, " is ", s.value[0], ", ", s.value[1], " and ", s.value[2], " for ",
           rows_[0], ", ", rows_[1], " and ", rows_[2],
           " rows; it must be a fixed number plus a fixed number for each row");
    }
    return line;
  }

  BatchSpec spec(int i) const {
    BatchSpec made;
    const Spec& first = graphs_[0]->spec(node(0, i).output());
    made.dtype = first.dtype;
    for (int g = 1; g < 3; ++g) {
      const Spec& other = graphs_[g]->spec(node(g, i).output());
      if (other.dtype != first.dtype || other.shape.rank() != first.shape.rank()) {
        fail("[batch] an input is ", first, " for ", rows_[0], " rows and ", other, " for ", rows_[g]);
      }
    }
    for (int d = 0; d < first.shape.rank(); ++d) {
      Sample s;
      for (int g = 0; g < 3; ++g) s.value[g] = graphs_[g]->spec(node(g, i).output()).shape[d];
      made.shape.push_back(affine(s, "input", "shape"));
    }
    return made;
  }

  // Equal, or a number that counts rows (a mean's divisor).
  std::shared_ptr<const BatchLeaf> constant(int i) const {
    auto made = std::make_shared<BatchLeaf>();
    const Array& first = node(0, i).constant;
    bool equal = true, numbers = first.spec.shape.rank() == 0;
    Sample s{};
    for (int g = 0; g < 3; ++g) {
      const Array& c = node(g, i).constant;
      equal &= same_bits(c, first);
      numbers = numbers && c.spec == first.spec;
      if (!numbers) continue;
      const double value = read_scalar(c.data(), c.spec.dtype);
      numbers = value >= -0x1p53 && value <= 0x1p53 && value == static_cast<double>(static_cast<int64_t>(value));
      if (numbers) s.value[g] = static_cast<int64_t>(value);
    }
    made->spec.dtype = first.spec.dtype;
    if (equal) {
      made->array = first;
    } else if (!numbers || !fits(s, made->scalar)) {
      fail("[batch] a constant of ", first.spec,
           " differs between batch sizes; only a single integer may, by a fixed number "
           "for each row. Use ops rather than NumPy for what depends on the batch size");
    }
    return made;
  }

  BatchAttr attr(int i, int a) const {
    const Attr* at[3];
    for (int g = 0; g < 3; ++g) at[g] = &node(g, i).attrs[a];
    const char *op_name = node(0, i).op->name, *name = node(0, i).op->attrs[a].name;
    if (at[1]->index() != at[0]->index() || at[2]->index() != at[0]->index()) differs(at, op_name, name);
    if (const int64_t* first = std::get_if<int64_t>(at[0])) {
      return affine({{*first, std::get<int64_t>(*at[1]), std::get<int64_t>(*at[2])}}, op_name, name);
    }
    if (const Ints* first = std::get_if<Ints>(at[0])) {
      AffineInts made;
      for (int g = 1; g < 3; ++g) {
        if (std::get<Ints>(*at[g]).size() != first->size()) differs(at, op_name, name);
      }
      for (size_t k = 0; k < first->size(); ++k) {
        made.push_back(affine({{(*first)[k], std::get<Ints>(*at[1])[k], std::get<Ints>(*at[2])[k]}}, op_name, name));
      }
      return made;
    }
    if (const auto* body = std::get_if<std::shared_ptr<const Graph>>(at[0])) {
      return Fitter({body->get(), std::get<std::shared_ptr<const Graph>>(*at[1]).get(),
                     std::get<std::shared_ptr<const Graph>>(*at[2]).get()},
                    rows_, variables_)
          .run();
    }
    if (*at[1] != *at[0] || *at[2] != *at[0]) differs(at, op_name, name);
    if (const bool* v = std::get_if<bool>(at[0])) return *v;
    if (const double* v = std::get_if<double>(at[0])) return *v;
    if (const std::string* v = std::get_if<std::string>(at[0])) return *v;
    if (const DType* v = std::get_if<DType>(at[0])) return *v;
    if (!std::holds_alternative<std::monostate>(*at[0])) {
      fail("[batch] `", name, "` of ", op_name, " is a function of this process and cannot be kept");
    }
    return {};
  }

  [[noreturn]] void differs(const Attr* const* at, const char* op_name, const char* name) const {
    fail("[batch] `", name, "` of ", op_name, " is ", attr_text(*at[0]), ", ", attr_text(*at[1]), " and ",
         attr_text(*at[2]), " for ", rows_[0], ", ", rows_[1], " and ", rows_[2], " rows");
  }

  // What only markers of gradients read. Inputs stay, read or not.
  void drop_dead() {
    static const OpDef* input = &op("input");
    std::vector<BatchNode>& nodes = made_->nodes;
    std::vector<int> maker;
    std::vector<ValueId> first(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      first[i] = static_cast<ValueId>(maker.size());
      maker.insert(maker.end(), nodes[i].num_outputs, static_cast<int>(i));
    }
    std::vector<bool> live(nodes.size(), false);
    for (ValueId v : made_->outputs) live[maker[v]] = true;
    for (const auto& u : made_->updates) live[maker[u.value]] = true;
    for (size_t i = nodes.size(); i-- > 0;) {
      live[i] = live[i] || nodes[i].op == input;
      for (ValueId v : nodes[i].inputs) live[maker[v]] = live[maker[v]] || live[i];
    }
    std::vector<ValueId> renumbered(maker.size(), kNoValue);
    std::vector<BatchNode> kept;
    ValueId next = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!live[i]) continue;
      for (ValueId& v : nodes[i].inputs) v = renumbered[v];
      for (int o = 0; o < nodes[i].num_outputs; ++o) renumbered[first[i] + o] = next++;
      kept.push_back(std::move(nodes[i]));
    }
    nodes = std::move(kept);
    for (ValueId& v : made_->outputs) v = renumbered[v];
    for (auto& u : made_->updates) u.value = renumbered[u.value];
  }

  const std::vector<int64_t>& rows_;
  Variables& variables_;
  std::vector<std::unique_ptr<Graph>> graphs_;
  std::shared_ptr<BatchGraph> made_ = std::make_shared<BatchGraph>();
  std::vector<ValueId> map_;
  ValueId next_ = 0;
};

}  // namespace

std::shared_ptr<const BatchGraph> BatchGraph::fit(const std::vector<const Graph*>& graphs,
                                                  const std::vector<int64_t>& rows, Variables& variables) {
  if (graphs.size() != 3 || rows.size() != 3 || rows[0] < 0 || rows[0] >= rows[1] || rows[1] >= rows[2]) {
    fail("[batch] needs recordings at 3 increasing batch sizes, got ", graphs.size(), " at ", rows.size(), " sizes");
  }
  return Fitter(graphs, rows, variables).run();
}

}  // namespace falconet
