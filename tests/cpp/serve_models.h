// Small models for the tests of serving, made in memory.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "graph/emit.h"

namespace serve_models {

using namespace falconet;

inline Array random_array(const Spec& spec, std::mt19937& random, float scale) {
  Array a = Array::allocate(spec);
  std::normal_distribution<float> normal(0, scale);
  for (int64_t i = 0; i < spec.size(); ++i) reinterpret_cast<float*>(a.data())[i] = normal(random);
  return a;
}

inline std::shared_ptr<VariableState> state_of(const std::string& name, Array array) {
  auto state = std::make_shared<VariableState>();
  state->name = name;
  state->array = std::move(array);
  return state;
}

// What record(graph, input) returns for `width` inputs a row, as a model with one input and one output.
template <class Record>
Model model_of(int64_t width, const std::vector<std::shared_ptr<VariableState>>& states, const Record& record) {
  const std::vector<int64_t> rows = {3, 5, 8};
  std::vector<Graph> graphs(rows.size());
  std::vector<const Graph*> recorded;
  for (size_t i = 0; i < rows.size(); ++i) {
    const ValueId x = graphs[i].add_input({DType::float32, {rows[i], width}});
    graphs[i].outputs = {record(graphs[i], x)};
    recorded.push_back(&graphs[i]);
  }
  const int64_t out = graphs[0].spec(graphs[0].outputs[0]).shape.back();
  std::vector<std::shared_ptr<VariableState>> variables = states;
  Model model;
  Signature& s = model.signatures["predict"];
  s.graph = BatchGraph::fit(recorded, rows, variables);
  s.inputs = {{"x", {DType::float32, {{0, 1}, {width, 0}}}}};
  s.outputs = {{"y", {DType::float32, {{0, 1}, {out, 0}}}}};
  for (const auto& v : states) model.variables.push_back({v->name, "weight", v->array.spec, true, -1, 0, v->array});
  return model;
}

// Dense layers with biases, relu between them.
inline Model mlp(const std::vector<int64_t>& widths, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::shared_ptr<VariableState>> states;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const float scale = 1 / std::sqrt(static_cast<float>(widths[i]));
    states.push_back(state_of("dense_" + std::to_string(i) + "/kernel",
                              random_array({DType::float32, {widths[i], widths[i + 1]}}, random, scale)));
    states.push_back(state_of("dense_" + std::to_string(i) + "/bias",
                              random_array({DType::float32, {widths[i + 1]}}, random, 0.1f)));
  }
  return model_of(widths[0], states, [&](Graph& graph, ValueId x) {
    Emitter e(graph);
    for (size_t i = 0; i < states.size(); i += 2) {
      x = e.add(e("matmul", {x, graph.read(states[i])}), graph.read(states[i + 1]));
      if (i + 2 < states.size()) x = e("relu", {x});
    }
    return x;
  });
}

// y = the sum of the rows that came so far, repeated; one state, "total".
inline Model running_total(int64_t width) {
  Array zero = Array::allocate({DType::float32, {width}});
  for (int64_t i = 0; i < width; ++i) reinterpret_cast<float*>(zero.data())[i] = 0;
  const auto total = state_of("total", std::move(zero));
  return model_of(width, {total}, [&](Graph& graph, ValueId x) {
    Emitter e(graph);
    const ValueId sum = e.add(graph.read(total), e.sum(x, {0}, false));
    graph.assign(total, sum);
    return e.broadcast_to(sum, e.shape(x));
  });
}

inline std::vector<float> inputs(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> x(count);
  for (float& v : x) v = normal(random);
  return x;
}

}  // namespace serve_models
