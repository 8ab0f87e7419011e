#include "graph/simplify.h"

#include <cmath>
#include <unordered_map>

namespace falconet {

namespace {

class Simplifier {
 public:
  explicit Simplifier(const Graph& from) : from_(from), to_(std::make_unique<Graph>()), map_(from.num_values(), kNoValue) {}

  std::unique_ptr<Graph> run(bool keep_outputs) {
    std::vector<bool> live(from_.nodes().size(), false);
    std::vector<ValueId> stack;
    if (keep_outputs) stack = from_.outputs;
    for (const auto& u : from_.updates) stack.push_back(u.value);
    while (!stack.empty()) {
      const int i = from_.values()[stack.back()].node;
      stack.pop_back();
      if (live[i]) continue;
      live[i] = true;
      for (ValueId v : from_.node(i).inputs) stack.push_back(v);
    }
    // Inputs keep their numbers, read or not.
    for (ValueId v : from_.inputs) map_[v] = to_->add_input(from_.spec(v));
    for (size_t i = 0; i < from_.nodes().size(); ++i) {
      if (live[i] && from_.node(static_cast<int>(i)).op != &op("input")) visit(from_.node(static_cast<int>(i)));
    }
    if (keep_outputs) {
      for (ValueId v : from_.outputs) to_->outputs.push_back(map_[v]);
    }
    for (const auto& u : from_.updates) to_->updates.push_back({u.variable, map_[u.value]});
    return std::move(to_);
  }

 private:
  void visit(const Node& n) {
    if (n.variable) {
      map_[n.output()] = to_->read(n.variable);
      return;
    }
    if (n.constant.buffer) {
      map_[n.output()] = add_constant(n.constant);
      return;
    }
    std::vector<ValueId> inputs;
    for (ValueId v : n.inputs) inputs.push_back(map_[v]);
    Attrs attrs = n.attrs;
    if (const ValueId same = already(n, inputs); same != kNoValue) {
      map_[n.output()] = same;
      return;
    }
    if (n.op->tail >= 0 && to_->spec(inputs[0]).size() == from_.spec(n.output()).size() && to_->spec(inputs[0]).size() > 0) {
      // A reduction over axes of one element only takes the axes away.
      const Shape& shape = from_.spec(n.output()).shape;
      const bool same = to_->spec(inputs[0]).shape == shape;
      map_[n.output()] = same ? inputs[0] : to_->add(op("reshape"), {Ints(shape.begin(), shape.end())}, {inputs[0]});
      return;
    }
    if (n.op->takes_epilogue) fold_transpositions(inputs, attrs);
    if (n.op->pointwise) drop_broadcasts(n, inputs);
    // The same op on the same values once.
    size_t key = reinterpret_cast<size_t>(n.op);
    for (ValueId v : inputs) key = key * 1000003 + static_cast<size_t>(v);
    for (const Attr& a : attrs) key = key * 1000003 + hash_attr(a);
    if (!n.op->has_effect) {
      for (auto [it, end] = seen_.equal_range(key); it != end; ++it) {
        const Node& other = to_->node(it->second);
        if (other.op == n.op && other.inputs == inputs && other.attrs == attrs) {
          for (int o = 0; o < n.num_outputs; ++o) map_[n.output(o)] = other.output(o);
          return;
        }
      }
    }
    const ValueId first = to_->add(*n.op, std::move(attrs), std::move(inputs));
    seen_.emplace(key, static_cast<int>(to_->nodes().size()) - 1);
    for (int o = 0; o < n.num_outputs; ++o) map_[n.output(o)] = first + o;
  }

  // A value that the node merely repeats.
  ValueId already(const Node& n, const std::vector<ValueId>& inputs) const {
    static const OpDef *mul = &op("multiply"), *div = &op("divide");
    if ((n.op == mul || n.op == div) && is_one(inputs[1]) && to_->spec(inputs[0]) == from_.spec(n.output())) return inputs[0];
    if (n.op == mul && is_one(inputs[0]) && to_->spec(inputs[1]) == from_.spec(n.output())) return inputs[1];
    if (inputs.size() != 1) return kNoValue;
    static const OpDef *cast = &op("cast"), *reshape = &op("reshape"), *stop = &op("stop_gradient"), *broadcast = &op("broadcast_to");
    const Spec &in = to_->spec(inputs[0]), &out = from_.spec(n.output());
    if (n.op == stop) return inputs[0];
    if ((n.op == cast || n.op == reshape || n.op == broadcast) && in == out) return inputs[0];
    if (n.op == reshape && to_->producer(inputs[0]).op == reshape) {
      const ValueId origin = to_->producer(inputs[0]).inputs[0];
      if (to_->spec(origin) == out) return origin;
    }
    return kNoValue;
  }

  bool is_one(ValueId v) const {
    const Node* n = &to_->producer(v);
    if (n->op == &op("broadcast_to")) n = &to_->producer(n->inputs[0]);
    return n->constant.buffer && n->constant.spec.size() == 1 && read_scalar(n->constant.data(), n->constant.spec.dtype) == 1;
  }

  // gemm(transpose(a), b) = gemm(a, b) with the flag turned, where only the last two axes change places.
  void fold_transpositions(std::vector<ValueId>& inputs, Attrs& attrs) const {
    for (int i = 0; i < 2; ++i) {
      const Node& n = to_->producer(inputs[i]);
      if (n.op != &op("transpose")) continue;
      const Ints& axes = n.attr<Ints>(0);
      const int64_t rank = static_cast<int64_t>(axes.size());
      bool swaps = rank >= 2 && axes[rank - 1] == rank - 2 && axes[rank - 2] == rank - 1;
      for (int64_t d = 0; d < rank - 2; ++d) swaps &= axes[d] == d;
      if (!swaps) continue;
      inputs[i] = n.inputs[0];
      attrs[i] = !std::get<bool>(attrs[i]);
    }
  }

  // A pointwise op broadcasts by itself: an operand that was repeated beforehand is read where it came from, as long as
  // some other operand still has the whole shape.
  void drop_broadcasts(const Node& n, std::vector<ValueId>& inputs) const {
    static const OpDef* broadcast = &op("broadcast_to");
    if (n.op == broadcast) return;
    const Shape& out = from_.spec(n.output()).shape;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (to_->producer(inputs[i]).op != broadcast) continue;
      bool covered = false;
      for (size_t k = 0; k < inputs.size(); ++k) covered |= k != i && to_->spec(inputs[k]).shape == out;
      if (covered) inputs[i] = to_->producer(inputs[i]).inputs[0];
    }
  }

  ValueId add_constant(const Array& array) {
    if (array.spec.size() == 1) {
      const double value = read_scalar(array.data(), array.spec.dtype);
      for (const auto& [spec, known, id] : scalars_) {
        if (spec == array.spec && known == value && !std::signbit(known) == !std::signbit(value)) return id;
      }
      const ValueId v = to_->add_constant(array);
      if (size_of(array.spec.dtype) < 8 || is_float(array.spec.dtype)) scalars_.push_back({array.spec, value, v});
      return v;
    }
    return to_->add_constant(array);
  }

  struct Scalar {
    Spec spec;
    double value;
    ValueId id;
  };
  const Graph& from_;
  std::unique_ptr<Graph> to_;
  std::vector<ValueId> map_;
  std::unordered_multimap<size_t, int> seen_;
  std::vector<Scalar> scalars_;
};

}  // namespace

std::unique_ptr<Graph> simplify(const Graph& graph, bool keep_outputs) { return Simplifier(graph).run(keep_outputs); }

}  // namespace falconet
