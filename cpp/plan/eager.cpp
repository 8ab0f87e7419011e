#include "plan/eager.h"

#include <atomic>
#include <cstring>

#include "base/large_blocks.h"
#include "graph/emit.h"
#include "graph/simplify.h"
#include "plan/planner.h"

namespace falconet {

namespace {

void append(std::string& key, const void* data, size_t bytes) { key.append(static_cast<const char*>(data), bytes); }
template <class T>
void append(std::string& key, const T& value) { append(key, &value, sizeof value); }

struct AppendAttr {
  std::string& key;
  void operator()(std::monostate) const {}
  void operator()(const std::string& v) const { append(key, v.size()); key += v; }
  void operator()(const Ints& v) const { append(key, v.size()); append(key, v.data(), v.size() * sizeof(int64_t)); }
  template <class T>
  void operator()(const std::shared_ptr<T>& v) const { append(key, v.get()); }
  template <class T>
  void operator()(const T& v) const { append(key, v); }
};

}  // namespace

uint64_t new_array_id() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

Plan& EagerOps::find(const OpDef& op, const Attrs& attrs, const Spec* specs, int count) {
  key_.clear();
  const OpDef* which = &op;
  append(key_, which);
  for (const Attr& a : attrs) {
    key_ += static_cast<char>(a.index());
    std::visit(AppendAttr{key_}, a);
  }
  for (int i = 0; i < count; ++i) {
    key_ += static_cast<char>(specs[i].dtype);
    key_ += static_cast<char>(specs[i].shape.rank());
    append(key_, specs[i].shape.begin(), specs[i].shape.rank() * sizeof(int64_t));
  }
  if (const auto it = plans_.find(std::string_view(key_)); it != plans_.end()) return *it->second;
  Graph graph;
  std::vector<ValueId> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(graph.add_input(specs[i]));
  Emitter emit(graph);
  graph.outputs = emit.apply(op, attrs, inputs);
  std::unique_ptr<Plan> plan = make_plan(*simplify(graph, true), arena_);
  if (plans_.size() >= kMaxPlans) plans_.clear();
  return *(plans_[key_] = std::move(plan));
}

std::vector<Concrete> EagerOps::run(const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs) {
  specs_.clear();
  in_.clear();
  out_.clear();
  for (const Concrete& x : inputs) {
    specs_.push_back(x.array.spec);
    in_.push_back(x.array.data());
  }
  Plan& plan = find(op, attrs, specs_.data(), static_cast<int>(specs_.size()));
  std::vector<Concrete> outputs;
  outputs.reserve(plan.output_specs().size());
  for (const Spec& spec : plan.output_specs()) {
    outputs.push_back({Array::allocate(spec), new_array_id()});
    out_.push_back(outputs.back().array.data());
  }
  plan.run(in_.data(), out_.data());
  return outputs;
}

void EagerOps::clear() {
  plans_.clear();
  arena_->release();
  large_blocks::trim();
}

}  // namespace falconet
