#include "plan/cluster.h"

#include <algorithm>
#include <queue>

namespace falconet {

namespace {

// Bounds of one program, well inside the tile machine's slots and registers.
constexpr size_t kMaxClusterNodes = 72;
// Domains this small are worth joining even where they share nothing: each program costs more than its elements.
constexpr int64_t kTinyDomain = 512;

class Grouper {
 public:
  Grouper(const Graph& graph, const std::vector<bool>& live, const std::vector<ValueId>& root)
      : g_(graph), live_(live), root_(root), group_of_(graph.nodes().size(), -1) {}

  std::vector<Group> run() {
    const int num_nodes = static_cast<int>(g_.nodes().size());
    for (int i = 0; i < num_nodes; ++i) {
      const Node& n = g_.node(i);
      if (!live_[i] || n.op->is_leaf || is_view(n)) continue;
      n.op->pointwise ? place_pointwise(i) : place_alone(i);
    }
    return order();
  }

 private:
  bool is_view(const Node& n) const { return root_[n.output()] != n.output() && n.op->view && n.op->view(g_, n) >= 0; }

  // The group that makes a value's memory; -1 for leaves.
  int maker(ValueId v) const { return group_of_[g_.values()[root_[v]].node]; }

  void place_alone(int i) {
    group_of_[i] = static_cast<int>(groups_.size());
    groups_.push_back({{i}, false, 0});
    mark_dependencies(i);
  }

  void mark_dependencies(int i) {
    for (ValueId v : g_.node(i).inputs) {
      const int m = maker(v);
      if (m < 0 || m == group_of_[i]) continue;
      needs(group_of_[i]).push_back(m);
      if (!elementwise(v)) whole_needs_.push_back({group_of_[i], m});
    }
  }

  // Whether a reader of v whose domain is v's own size meets the elements of its maker one by one.
  bool elementwise(ValueId v) const { return g_.spec(v).size() == g_.spec(root_[v]).size(); }

  std::vector<int>& needs(int group) {
    if (needs_.size() <= static_cast<size_t>(group)) needs_.resize(group + 1);
    return needs_[group];
  }

  void place_pointwise(int i) {
    const Node& n = g_.node(i);
    const int64_t size = g_.spec(n.output()).size();
    std::vector<int> candidates;
    const auto offer = [&](int group) {
      if (group < 0 || groups_[group].nodes.empty() || !groups_[group].pointwise || groups_[group].size != size) return;
      if (std::find(candidates.begin(), candidates.end(), group) == candidates.end()) candidates.push_back(group);
    };
    for (ValueId v : n.inputs) {
      offer(maker(v));
    }
    if (size <= kTinyDomain) {
      for (int k = static_cast<int>(groups_.size()) - 1; k >= 0 && k >= static_cast<int>(groups_.size()) - 24; --k) offer(k);
    } else {
      for (ValueId v : n.inputs) {
        for (int reader : readers(v)) offer(reader);
      }
    }
    int home = -1;
    for (int c : candidates) {
      if (home < 0) {
        if (groups_[c].nodes.size() < kMaxClusterNodes && !depends_outside(i, c)) {
          groups_[c].nodes.push_back(i);
          group_of_[i] = home = c;
          mark_dependencies(i);
        }
      } else if (groups_[home].nodes.size() + groups_[c].nodes.size() <= kMaxClusterNodes && can_merge(home, c)) {
        merge(home, c);
      }
    }
    if (home < 0) {
      group_of_[i] = home = static_cast<int>(groups_.size());
      groups_.push_back({{i}, true, size});
      mark_dependencies(i);
    }
    for (ValueId v : n.inputs) readers(v).push_back(home);
  }

  std::vector<int>& readers(ValueId v) {
    if (readers_.empty()) readers_.resize(g_.num_values());
    for (int& r : readers_[root_[v]]) r = canonical(r);
    return readers_[root_[v]];
  }
  int canonical(int group) const {
    while (groups_[group].nodes.empty()) group = merged_into_[group];
    return group;
  }

  // Whether node i reaches group c through some other group.
  bool depends_outside(int i, int c) {
    std::vector<int> start;
    for (ValueId v : g_.node(i).inputs) {
      const int m = maker(v);
      if (m == c && (!elementwise(v) || g_.spec(v).size() != groups_[c].size)) return true;
      if (m >= 0 && m != c) start.push_back(m);
    }
    return reaches(start, c);
  }

  bool reaches(std::vector<int> from, int target) {
    std::vector<bool> seen(groups_.size(), false);
    while (!from.empty()) {
      const int group = canonical(from.back());
      from.pop_back();
      if (group == target) return true;
      if (seen[group]) continue;
      seen[group] = true;
      for (int m : needs(group)) from.push_back(m);
    }
    return false;
  }

  bool can_merge(int a, int b) {
    const auto outside = [&](int of, int other) {
      std::vector<int> start;
      for (int m : needs(of)) {
        m = canonical(m);
        if (m != other && m != of) start.push_back(m);
      }
      return start;
    };
    for (const auto& [reader, made] : whole_needs_) {
      const int r = canonical(reader), m = canonical(made);
      if ((r == a && m == b) || (r == b && m == a)) return false;
    }
    return !reaches(outside(a, b), b) && !reaches(outside(b, a), a);
  }

  void merge(int into, int from) {
    for (int i : groups_[from].nodes) group_of_[i] = into;
    auto& nodes = groups_[into].nodes;
    nodes.insert(nodes.end(), groups_[from].nodes.begin(), groups_[from].nodes.end());
    std::sort(nodes.begin(), nodes.end());
    groups_[from].nodes.clear();
    if (merged_into_.size() < groups_.size()) merged_into_.resize(groups_.size(), -1);
    merged_into_[from] = into;
    auto moved = std::move(needs(from));
    needs(from).clear();
    for (int m : moved) {
      if (canonical(m) != into) needs(into).push_back(m);
    }
  }

  // Topological; among the ready the one whose last node came first in the trace.
  std::vector<Group> order() {
    const int count = static_cast<int>(groups_.size());
    std::vector<std::vector<int>> users(count);
    std::vector<int> waiting(count, 0);
    for (int i = 0; i < count; ++i) {
      if (groups_[i].nodes.empty()) continue;
      std::vector<int> distinct;
      for (int m : needs(i)) {
        m = canonical(m);
        if (m != i && std::find(distinct.begin(), distinct.end(), m) == distinct.end()) distinct.push_back(m);
      }
      waiting[i] = static_cast<int>(distinct.size());
      for (int m : distinct) users[m].push_back(i);
    }
    const auto later = [&](int a, int b) { return groups_[a].nodes.back() > groups_[b].nodes.back(); };
    std::priority_queue<int, std::vector<int>, decltype(later)> ready(later);
    int total = 0;
    for (int i = 0; i < count; ++i) {
      if (groups_[i].nodes.empty()) continue;
      ++total;
      if (waiting[i] == 0) ready.push(i);
    }
    std::vector<Group> result;
    while (!ready.empty()) {
      const int i = ready.top();
      ready.pop();
      result.push_back(groups_[i]);
      for (int u : users[i]) {
        if (--waiting[u] == 0) ready.push(u);
      }
    }
    if (static_cast<int>(result.size()) != total) fail<InternalError>("groups of the plan form a cycle");
    return result;
  }

  const Graph& g_;
  const std::vector<bool>& live_;
  const std::vector<ValueId>& root_;
  std::vector<int> group_of_;  // node -> group
  std::vector<Group> groups_;
  std::vector<int> merged_into_;
  std::vector<std::vector<int>> needs_, readers_;
  std::vector<std::pair<int, int>> whole_needs_;  // reader, maker: a part of what the maker makes, not element by element
};

}  // namespace

std::vector<Group> make_groups(const Graph& graph, const std::vector<bool>& live, const std::vector<ValueId>& root) {
  return Grouper(graph, live, root).run();
}

}  // namespace falconet
