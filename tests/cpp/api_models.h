// Model files in memory for the tests of the C API.
#pragma once

#include <string>

#include "graph/gradient.h"
#include "serve_models.h"

namespace api_models {

using namespace falconet;

inline std::string mlp_file(const std::vector<int64_t>& widths, unsigned seed) {
  Model model = serve_models::mlp(widths, seed);
  model.metadata["kind"] = "mlp";
  return model_to_bytes(model);
}

// y = x w with a step of gradient descent on the mean of squares: "predict", and "train" of x and y that gives "loss".
inline Model line(int64_t width) {
  const std::vector<int64_t> rows = {3, 5, 8};
  std::mt19937 random(1);
  const auto w = serve_models::state_of("line/kernel", serve_models::random_array({DType::float32, {width, 1}}, random, 1));
  std::vector<Graph> predict(rows.size()), train(rows.size());
  std::vector<const Graph*> predicts, trains;
  for (size_t i = 0; i < rows.size(); ++i) {
    {
      Emitter e(predict[i]);
      const ValueId x = predict[i].add_input({DType::float32, {rows[i], width}});
      predict[i].outputs = {e("matmul", {x, predict[i].read(w)})};
    }
    Emitter e(train[i]);
    const ValueId x = train[i].add_input({DType::float32, {rows[i], width}});
    const ValueId y = train[i].add_input({DType::float32, {rows[i], 1}});
    const ValueId before = train[i].read(w);
    const ValueId error = e.sub(e("matmul", {x, before}), y);
    const ValueId loss = e("mean", {e.mul(error, error)});
    const ValueId slope = gradients(e, {loss}, {before}, {kNoValue})[0];
    train[i].assign(w, e.sub(before, e.mul(e.scalar(0.05, slope), slope)));
    train[i].outputs = {loss};
    predicts.push_back(&predict[i]);
    trains.push_back(&train[i]);
  }
  std::vector<std::shared_ptr<VariableState>> variables = {w};
  Model model;
  const Port x{"x", {DType::float32, {{0, 1}, {width, 0}}}};
  Signature& p = model.signatures["predict"];
  p.graph = BatchGraph::fit(predicts, rows, variables);
  p.inputs = {x};
  p.outputs = {{"y", {DType::float32, {{0, 1}, {1, 0}}}}};
  Signature& t = model.signatures["train"];
  t.graph = BatchGraph::fit(trains, rows, variables);
  t.inputs = {x, {"y", {DType::float32, {{0, 1}, {1, 0}}}}};
  t.outputs = {{"loss", {DType::float32, {}}}};
  model.variables.push_back({w->name, "weight", w->array.spec, true, -1, 0, w->array});
  return model;
}

}  // namespace api_models
