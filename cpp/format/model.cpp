// What a model in memory can be asked, whether it was read or is about to be written.
#include <cmath>
#include <cstring>

#include "format/model_file.h"

namespace falconet {

std::vector<std::shared_ptr<VariableState>> Model::make_states(bool writable) const {
  std::vector<std::shared_ptr<VariableState>> states;
  for (const ModelVariable& v : variables) {
    auto state = std::make_shared<VariableState>();
    state->name = v.name;
    const bool own = writable && v.flat < 0;
    if (own) {
      state->array = Array::allocate(v.spec);
    } else if (v.value.buffer) {
      state->array = v.value;
    } else {
      state->array = {v.spec, Buffer::allocate(0), 0};
    }
    states.push_back(std::move(state));
  }
  if (!writable) return states;
  for (size_t i = 0; i < variables.size(); ++i) {
    const ModelVariable& v = variables[i];
    if (v.flat >= 0) {
      states[i]->flat = states[v.flat];
      states[i]->flat_begin = v.flat_begin;
      states[i]->array = {v.spec, states[v.flat]->array.buffer, static_cast<size_t>(v.flat_begin * size_of(v.spec.dtype))};
    }
    if (v.value.buffer) std::memcpy(states[i]->array.data(), v.value.data(), static_cast<size_t>(v.spec.bytes()));
  }
  return states;
}

const Signature& Model::signature(const std::string& name) const {
  const auto found = signatures.find(name);
  if (found != signatures.end()) return found->second;
  std::string known;
  for (const auto& [other, signature] : signatures) known += (known.empty() ? "\"" : ", \"") + other + '"';
  fail("[load] the model has no signature \"", name, "\"; it has ", known);
}

}  // namespace falconet
