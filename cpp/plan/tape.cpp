#include "plan/tape.h"

namespace falconet {

// Rules add scalar constants straight to the graph.
void Tape::catch_up() {
  for (ValueId v = static_cast<ValueId>(computed_.size()); v < graph_.num_values(); ++v) {
    computed_.push_back({graph_.producer(v).constant, new_array_id()});
  }
}

ValueId Tape::known(const Concrete& array) {
  if (const auto it = values_.find(array.id); it != values_.end()) return it->second;
  catch_up();
  const ValueId v = graph_.add_input(array.array.spec);
  values_[array.id] = v;
  computed_.push_back(array);
  return v;
}

ValueId Tape::record(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs) {
  catch_up();
  std::vector<Concrete> arguments;
  for (ValueId v : inputs) arguments.push_back(computed_[v]);
  const ValueId first = graph_.add(op, std::move(attrs), std::move(inputs));
  // The node holds attributes in canonical form now; what is computed is the same op in either form.
  std::vector<Concrete> outputs = below_(op, graph_.producer(first).attrs, arguments);
  for (Concrete& y : outputs) {
    values_[y.id] = static_cast<ValueId>(computed_.size());
    computed_.push_back(std::move(y));
  }
  return first;
}

const Concrete& Tape::computed(ValueId v) {
  catch_up();
  return computed_[v];
}

std::vector<Concrete> Tape::compute(const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs) {
  std::vector<ValueId> ids;
  for (const Concrete& x : inputs) ids.push_back(known(x));
  std::vector<Concrete> outputs;
  for (ValueId v : apply(op, attrs, ids)) outputs.push_back(computed_[v]);
  return outputs;
}

std::vector<Concrete> Tape::gradient(const std::vector<Concrete>& targets, const std::vector<Concrete>& sources,
                                     const std::vector<Concrete>& target_gradients) {
  std::vector<ValueId> ys, xs, dys;
  for (const Concrete& y : targets) ys.push_back(known(y));
  for (const Concrete& x : sources) xs.push_back(known(x));
  for (const Concrete& d : target_gradients) dys.push_back(known(d));
  std::vector<Concrete> results;
  for (ValueId v : gradients(*this, ys, xs, dys)) {
    if (v == kNoValue) {
      results.push_back({});
      continue;
    }
    catch_up();
    results.push_back(computed_[v]);
  }
  return results;
}

}  // namespace falconet
