// What a model in memory can be asked, whether it was read or is about to be written.
#include <algorithm>
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
      states[i]->array = {v.spec, states[v.flat]->array.buffer,
                          static_cast<size_t>(v.flat_begin * size_of(v.spec.dtype))};
    }
    if (v.value.buffer) std::memcpy(states[i]->array.data(), v.value.data(), static_cast<size_t>(v.spec.bytes()));
  }
  return states;
}

std::unique_ptr<Graph> Signature::at(int64_t n, const std::vector<std::shared_ptr<VariableState>>& states,
                                     const GraphLimits& limits) const {
  auto made = graph->at(n, states, limits);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Spec want = outputs[i].spec.at(n), have = made->spec(made->outputs[i]);
    if (have != want) fail("[load] output \"", outputs[i].name, "\" is said to be ", want, "; the graph makes ", have);
  }
  return made;
}

const Signature& Model::signature(const std::string& name) const {
  const auto found = signatures.find(name);
  if (found != signatures.end()) return found->second;
  std::string known;
  for (const auto& [other, signature] : signatures) known += (known.empty() ? "\"" : ", \"") + other + '"';
  fail("[load] the model has no signature \"", name, "\"; it has ", known);
}

// Two instruction sets differ in the rounding of each operation. With u the unit roundoff of the dtype, a sum of K
// products differs by about sqrt(K) u of its size, 2^6 u for K = 4096; 2^8 such steps one after another, all in one
// direction, make 2^14 u. A file that is read wrongly is off by the size of the outputs. Half precisions round once at
// the end of float32 arithmetic, and 2^5 u covers a chain of operations on them.
double test_tolerance(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 0x1p-39;
    case DType::float32:
      return 0x1p-10;
    case DType::float16:
      return 0x1p-6;
    case DType::bfloat16:
      return 0x1p-3;
    default:
      return 0;
  }
}

std::string compare_with_test(const TestVector& test, const std::vector<Array>& outputs) {
  if (outputs.size() != test.outputs.size()) return "another number of outputs";
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Array &want = test.outputs[i], &have = outputs[i];
    if (want.spec != have.spec) return join_text("output ", i, " is ", have.spec, " instead of ", want.spec);
    const int64_t size = want.spec.size(), step = size_of(want.spec.dtype);
    double largest = 0;
    for (int64_t k = 0; k < size; ++k) {
      const double value = std::fabs(read_scalar(want.data() + k * step, want.spec.dtype));
      if (std::isfinite(value)) largest = std::max(largest, value);
    }
    const double allowed = largest * test_tolerance(want.spec.dtype);
    for (int64_t k = 0; k < size; ++k) {
      const double w = read_scalar(want.data() + k * step, want.spec.dtype),
                   h = read_scalar(have.data() + k * step, want.spec.dtype);
      if (w == h || (std::isnan(w) && std::isnan(h)) || std::fabs(w - h) <= allowed) continue;
      return join_text("element ", k, " of output ", i, " is ", h, " instead of ", w, " (", allowed,
                       " may lie between them)");
    }
  }
  return {};
}

}  // namespace falconet
