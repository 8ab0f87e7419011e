#include "serve/learner.h"

#include <cstring>

#include "base/error.h"
#include "graph/simplify.h"
#include "serve/weights.h"

namespace falconet {

namespace {

const char* name_of(Learner::Function f) {
  constexpr const char* kNames[] = {"train", "predict", "evaluate"};
  return kNames[static_cast<int>(f)];
}

}  // namespace

Learner::Learner(Model model, int threads) : model_(std::move(model)), threads_(threads) {
  if (threads < 0) fail("[Learner] `threads` is ", threads, "; it must be at least 1, or 0 for all");
  if (model_.signatures.count("train") == 0) {
    fail("[Learner] the model has no training step: it was exported without one. Export it with training=True");
  }
  states_ = model_.make_states(true);
  for (ModelVariable& v : model_.variables) v.value = {};  // copied by now: what is mapped or owned elsewhere can go
  weights_ = serve::weights_of(*signature(Function::predict).graph);
  for (const int v : weights_) weight_names_.push_back(model_.variables[v].name);
  make_tables();
}

void Learner::make_tables() {
  const auto arena = std::make_shared<Arena>();
  for (int f = 0; f < kNumFunctions; ++f) {
    const auto found = model_.signatures.find(name_of(static_cast<Function>(f)));
    if (found == model_.signatures.end()) continue;
    // What was there before a fork is left as it is: a thread was at work on it.
    (void)tables_[f].release();
    tables_[f] = std::make_unique<serve::PlanTable>(found->second, states_, arena, PlanOptions{threads_, nullptr});
  }
}

const Signature& Learner::signature(Function f) const { return model_.signature(name_of(f)); }

Learner::Claim::Claim(Learner& learner, Function f, int64_t rows) : learner_(learner) {
  if (!learner.tables_[static_cast<int>(f)]) (void)learner.signature(f);  // says which there are
  if (learner.gate_.enter() == serve::Gate::Entry::inherited) learner.make_tables();
  try {
    serve::PlanTable& table = *learner.tables_[static_cast<int>(f)];
    plan_ = table.find(rows);
    if (!plan_) plan_ = &table.make(rows);
  } catch (...) {
    learner.gate_.leave();
    throw;
  }
}

void Learner::run(Function f, int64_t rows, const void* const* inputs, void* const* outputs) {
  Claim(*this, f, rows).run(inputs, outputs);
}

class Learner::Hold {
 public:
  explicit Hold(Learner& learner) : learner_(learner) {
    if (learner.gate_.enter() == serve::Gate::Entry::inherited) learner.make_tables();
  }
  Hold(const Hold&) = delete;
  ~Hold() { learner_.gate_.leave(); }

 private:
  Learner& learner_;
};

std::vector<Array> Learner::weights() {
  std::vector<Array> copies;
  const Hold hold(*this);
  for (const int v : weights_) copies.push_back(serve::copy_of(states_[v]->array.spec, states_[v]->array.data()));
  return copies;
}

void Learner::snapshot(Predictor& predictor) {
  if (weight_names() != predictor.weight_names()) {
    fail("[snapshot] the predictor is of another model: its weights have other names than the learner's");
  }
  predictor.update(weights());
}

void Learner::reset_metrics() {
  const Hold hold(*this);
  for (size_t v = 0; v < states_.size(); ++v) {
    const Array& a = states_[v]->array;
    if (model_.variables[v].role == "metric") std::memset(a.data(), 0, static_cast<size_t>(a.spec.bytes()));
  }
}

Model Learner::model() {
  Model now = model_;
  {
    const Hold hold(*this);
    for (size_t v = 0; v < states_.size(); ++v) {
      const Array& a = states_[v]->array;
      if (now.variables[v].role != "flat") now.variables[v].value = serve::copy_of(a.spec, a.data());
    }
  }
  // Computed with the copies, since other threads may go on learning meanwhile.
  if (TestVector& test = now.signatures.at("predict").test; test.rows > 0) {
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Array& a : test.inputs) in.push_back(a.data());
    for (Array& a : test.outputs) {
      a = Array::allocate(a.spec);
      out.push_back(a.data());
    }
    make_plan(*simplify(*now.signature("predict").at(test.rows, now.make_states(true)), true),
              std::make_shared<Arena>(), {threads_, nullptr})
        ->run(in.data(), out.data());
  }
  return now;
}

}  // namespace falconet
