#include "plan/fusion.h"

#include <algorithm>

#include "graph/lowering.h"

namespace falconet {

namespace {

class Fusion {
 public:
  Fusion(const Graph& graph, const Values& values, const Kernels& kernels)
      : g_(graph), live_(values.live), root_(values.root), kernels_(kernels), groups_(make_groups(graph, live_, root_)), position_(graph.nodes().size(), -1),
        users_(graph.num_values()), kept_(graph.num_values(), false), items_(groups_.size()), taken_by_(groups_.size(), -1) {
    for (size_t k = 0; k < groups_.size(); ++k) {
      for (int i : groups_[k].nodes) position_[i] = static_cast<int>(k);
      items_[k].group = groups_[k];
    }
    for (size_t i = 0; i < g_.nodes().size(); ++i) {
      if (!live_[i]) continue;
      for (ValueId v : g_.node(static_cast<int>(i)).inputs) users_[root_[v]].push_back(static_cast<int>(i));
    }
    for (ValueId v : g_.outputs) kept_[root_[v]] = true;
    for (const auto& u : g_.updates) kept_[root_[u.value]] = true;
  }

  std::vector<Item> run() {
    join_tails();
    join_epilogues();
    std::vector<Item> fused;
    for (int k = 0; k < static_cast<int>(groups_.size()); ++k) {
      if (taken_by_[k] < 0) fused.push_back(std::move(items_[k]));
    }
    return fused;
  }

 private:
  // Reductions run behind the program that makes what they reduce.
  void join_tails() {
    for (int k = 0; k < static_cast<int>(groups_.size()); ++k) {
      const Node& n = g_.node(groups_[k].nodes[0]);
      if (n.op->tail < 0 || groups_[k].pointwise) continue;
      const ValueId x = root_[n.inputs[0]];
      const int m = is_leaf(x) ? -1 : position_[g_.values()[x].node];
      if (m < 0 || !groups_[m].pointwise || items_[m].tail >= 0) continue;
      const int64_t row = g_.spec(x).size() / std::max<int64_t>(1, g_.spec(n.output()).size());
      if (!reduces_trailing_axes(n) || g_.spec(x).size() == 0 || g_.spec(x).size() != g_.spec(n.inputs[0]).size()) continue;
      if (row < kMinTailRow && g_.spec(n.output()).size() > 1) continue;
      const auto op = static_cast<ReduceOp>(n.op->tail);
      if (!kernels_.reduce.pieces[static_cast<int>(op)][static_cast<int>(lane_of(g_.spec(x).dtype))].start) continue;
      if (!is_native(g_.spec(x).dtype)) continue;
      items_[m].tail = groups_[k].nodes[0];
      taken_by_[k] = m;
    }
  }

  // Programs run behind the product whose result they start from.
  void join_epilogues() {
    for (int k = 0; k < static_cast<int>(groups_.size()); ++k) {
      if (groups_[k].pointwise || !g_.node(groups_[k].nodes[0]).op->takes_epilogue) continue;
      const Node& n = g_.node(groups_[k].nodes[0]);
      const ValueId c = n.output();
      if (kept_[c] || users_[c].empty() || !is_native(g_.spec(c).dtype) || g_.spec(c).size() == 0 || g_.spec(n.inputs[0]).size() == 0) continue;
      const int p = position_[users_[c][0]];
      if (p < 0 || !groups_[p].pointwise || taken_by_[p] >= 0 || items_[p].tail >= 0 || groups_[p].size != g_.spec(c).size()) continue;
      bool fits = true;
      for (int u : users_[c]) fits &= position_[u] == p;
      for (int i : groups_[p].nodes) {
        const Node& e = g_.node(i);
        fits &= !e.op->uses_index;
        for (ValueId v : e.inputs) {
          const ValueId r = root_[v];
          if (r == c) {
            fits &= g_.spec(v).size() == g_.spec(c).size();
          } else if (!is_leaf(r)) {
            // Every other input must be made before the product runs.
            int by = position_[g_.values()[r].node];
            if (by >= 0 && by != p && taken_by_[by] >= 0) by = taken_by_[by];
            fits &= by == p || (by >= 0 && by < k);
          }
        }
      }
      if (!fits) continue;
      taken_by_[p] = k;
      Item& item = items_[k];
      item.epilogue = groups_[p].nodes;
      peel(item, n);
    }
  }

  // Takes a bias and a relu, or relu's gradient, that come first off the epilogue: the product does them in registers.
  void peel(Item& item, const Node& product) {
    ValueId c = product.output();
    item.destination = c;
    const auto only_user = [&](ValueId v) { return users_[v].size() == 1 && !kept_[v] ? users_[v][0] : -1; };
    const int64_t width = g_.spec(c).shape.empty() ? 1 : g_.spec(c).shape.back();
    const auto drop = [&](int i) { item.epilogue.erase(std::find(item.epilogue.begin(), item.epilogue.end(), i)); };
    int i = only_user(c);
    if (i >= 0 && g_.node(i).op == &op("add")) {
      const Node& n = g_.node(i);
      const ValueId other = root_[n.inputs[0]] == c ? n.inputs[1] : n.inputs[0];
      const Spec& bias = g_.spec(other);
      if (root_[other] != c && bias.size() == width && !bias.shape.empty() && bias.shape.back() == width &&
          g_.spec(n.output()).shape == g_.spec(c).shape) {
        item.bias = other;
        item.destination = c = n.output();
        drop(i);
        i = only_user(c);
        if (i < 0 && users_[c].size() == 1) i = users_[c][0];
      }
    }
    if (i >= 0 && !kept_[c] && users_[c].size() == 1 && g_.node(i).op == &op("relu") && in_epilogue(item, i)) {
      item.relu = true;
      item.destination = g_.node(i).output();
      drop(i);
    } else if (i >= 0 && !kept_[c] && users_[c].size() == 1 && g_.node(i).op == &op("relu_grad") && in_epilogue(item, i)) {
      const ValueId dy = g_.node(i).inputs[0], y = g_.node(i).inputs[1];
      if (root_[dy] == c && root_[y] != c && g_.spec(y) == g_.spec(c)) {
        item.gate = y;
        item.destination = g_.node(i).output();
        drop(i);
      }
    }
  }
  static bool in_epilogue(const Item& item, int i) {
    return std::find(item.epilogue.begin(), item.epilogue.end(), i) != item.epilogue.end();
  }

  bool reduces_trailing_axes(const Node& n) const {
    const Shape& x = g_.spec(n.inputs[0]).shape;
    bool trailing = true;
    for (int64_t a : n.attr<Ints>(0)) {
      // Axes after the first reduced one must all be reduced (or hold one element).
      for (int d = static_cast<int>(a); d < x.rank(); ++d) {
        trailing &= x[d] == 1 || std::find(n.attr<Ints>(0).begin(), n.attr<Ints>(0).end(), d) != n.attr<Ints>(0).end();
      }
    }
    return trailing;
  }

  bool is_leaf(ValueId v) const { return g_.producer(v).op->is_leaf; }

  // Rows shorter than this are reduced faster by the stand-alone kernel.
  static constexpr int64_t kMinTailRow = 512;

  const Graph& g_;
  const std::vector<bool>& live_;
  const std::vector<ValueId>& root_;
  const Kernels& kernels_;
  const std::vector<Group> groups_;
  std::vector<int> position_;            // by node: its group
  std::vector<std::vector<int>> users_;  // by root: the nodes that read it
  std::vector<bool> kept_;               // by root: an output or update
  std::vector<Item> items_;              // by group
  std::vector<int> taken_by_;            // by group: the group that runs it, or -1
};

}  // namespace

std::vector<Item> make_items(const Graph& graph, const Values& values, const Kernels& kernels) {
  return Fusion(graph, values, kernels).run();
}

std::vector<bool> find_needed(const Graph& graph, const Values& values, const std::vector<Item>& items) {
  const std::vector<bool>& live = values.live;
  const std::vector<ValueId>& root = values.root;
  std::vector<bool> needed(graph.num_values(), false);
  std::vector<int> item_of(graph.nodes().size(), -1);
  for (size_t k = 0; k < items.size(); ++k) {
    if (!items[k].group.pointwise) continue;
    for (int i : items[k].group.nodes) item_of[i] = static_cast<int>(k);
    if (items[k].tail >= 0) item_of[items[k].tail] = static_cast<int>(k);
  }
  int next = static_cast<int>(items.size());
  for (const Item& item : items) {
    for (int i : item.epilogue) item_of[i] = next;
    ++next;
  }
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!live[i] || (graph.node(static_cast<int>(i)).op->view && root[graph.node(static_cast<int>(i)).output()] != graph.node(static_cast<int>(i)).output())) continue;
    for (ValueId v : graph.node(static_cast<int>(i)).inputs) {
      const ValueId r = root[v];
      if (item_of[i] < 0 || item_of[graph.values()[r].node] != item_of[i]) needed[r] = true;
    }
  }
  for (ValueId v : graph.outputs) needed[root[v]] = true;
  for (const auto& u : graph.updates) needed[root[u.value]] = true;
  return needed;
}

}  // namespace falconet
