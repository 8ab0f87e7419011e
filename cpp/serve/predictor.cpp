#include "serve/predictor.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "graph/simplify.h"
#include "serve/gate.h"
#include "serve/plan_table.h"

namespace falconet {

using serve::Gate;
using serve::PackedForm;
using serve::WeightSet;
using serve::WeightStore;

namespace {

// Rows at which every product wants its matrix packed that ever does.
constexpr int64_t kManyRows = 64;
// Weights up to this size are packed when the model is loaded, whatever batch sizes are asked for, so that processes
// forked later share the packed forms. Larger ones take memory for a second copy only where it is used.
constexpr int64_t kPackAtLoad = int64_t{64} << 20;

}  // namespace

// Plans with memory of their own, bound to the shared weights. Used by whoever is inside its gate.
class alignas(64) Predictor::Context : public Packing {
 public:
  explicit Context(Predictor& p) : p_(p), arena_(std::make_shared<Arena>()) {
    const std::vector<ModelVariable>& variables = p.model_->variables;
    for (const ModelVariable& v : variables) {
      auto state = std::make_shared<VariableState>();
      state->name = v.name;
      state->array = {v.spec, nullptr, 0};
      variables_.push_back(std::move(state));
    }
    for (size_t i = 0; i < p.state_variables_.size(); ++i) variables_[p.state_variables_[i]] = p.states_[i];
    bind(p.store_->current());
    table_ = std::make_unique<serve::PlanTable>(*p.signature_, variables_, arena_, PlanOptions{p.threads_, this});
  }

  Plan* plan(int64_t rows) {
    Plan* plan = table_->find(rows);
    if (!plan) plan = &table_->make(rows);
    // After making the plan, which may have published packed forms: the set is taken as a whole.
    bind_current();
    return plan;
  }
  // Has the store pack the matrices that many rows want packed.
  void pack_weights(int64_t rows) {
    make_plan(*simplify(*p_.signature_->at(rows, variables_), true), std::make_shared<Arena>(), {p_.threads_, this});
  }
  void bind_current() {
    if (bound_ != p_.store_->version()) bind(p_.store_->current());
  }

  std::shared_ptr<VariableState> packed(const VariableState* variable, const Array& constant, int64_t offset,
                                        const PackBArgs& matrix) override {
    PackedForm form{-1, constant, offset, matrix, &kernels().gemm};
    if (variable) {
      const auto at =
          std::find_if(variables_.begin(), variables_.end(), [=](const auto& v) { return v.get() == variable; });
      form.weight = at == variables_.end() ? -1 : p_.weight_of_[at - variables_.begin()];
      if (form.weight < 0) return nullptr;
    }
    const size_t number = static_cast<size_t>(p_.store_->form(form));
    if (number >= forms_.size()) bind(p_.store_->current());
    return forms_[number];
  }

  serve::PlanTable& table() { return *table_; }
  int64_t arena_bytes() const { return static_cast<int64_t>(arena_->bytes()); }

  Gate gate;

 private:
  void bind(std::shared_ptr<const WeightSet> set) {
    for (size_t v = 0; v < variables_.size(); ++v) {
      if (p_.weight_of_[v] >= 0) variables_[v]->array = set->arrays[p_.weight_of_[v]];
    }
    while (forms_.size() < set->packed.size()) forms_.push_back(std::make_shared<VariableState>());
    for (size_t f = 0; f < set->packed.size(); ++f) forms_[f]->array = set->packed[f];
    bound_ = set->version;
    set_ = std::move(set);
  }

  Predictor& p_;
  std::vector<std::shared_ptr<VariableState>> variables_;  // of the model
  std::vector<std::shared_ptr<VariableState>> forms_;      // of the store
  std::shared_ptr<Arena> arena_;
  std::unique_ptr<serve::PlanTable> table_;
  uint64_t bound_ = 0;
  std::shared_ptr<const WeightSet> set_;
};

class Predictor::Hold {
 public:
  explicit Hold(Predictor& predictor) : context(predictor.claim()) {}
  Hold(const Hold&) = delete;
  ~Hold() { context.gate.leave(); }
  Context& context;
};

Predictor::Predictor(Model model, const PredictorOptions& options)
    : model_(std::make_shared<const Model>(std::move(model))),
      signature_(&model_->signature("predict")),
      threads_(options.threads) {
  if (options.threads < 0) fail("[Predictor] `threads` is ", options.threads, "; it must be at least 1, or 0 for all");
  for (const int64_t rows : options.batch_sizes) {
    if (rows < 1) fail("[Predictor] `batch_sizes` has ", rows, "; sizes must be at least 1");
  }
  find_variables();
  if (options.verify) verify();
  if (store_->weight_bytes() <= kPackAtLoad) Hold(*this).context.pack_weights(kManyRows);
  prepare(options.batch_sizes);
}

Predictor::Predictor(Copy, const Predictor& other)
    : model_(other.model_),
      signature_(other.signature_),
      threads_(other.threads_),
      weight_of_(other.weight_of_),
      state_variables_(other.state_variables_),
      state_names_(other.state_names_),
      store_(other.store_) {
  for (const auto& state : other.states_) {
    states_.push_back(std::make_shared<VariableState>(*state));
    states_.back()->array = serve::copy_of(state->array.spec, state->array.data());
  }
}

Predictor::~Predictor() = default;

Predictor::Contexts::~Contexts() {
  for (int i = 0; i < count.load(); ++i) delete at[i].load();
}

std::unique_ptr<Predictor> Predictor::copy() {
  const Hold hold(*this);
  return std::unique_ptr<Predictor>(new Predictor(Copy(), *this));
}

void Predictor::find_variables() {
  const std::vector<ModelVariable>& variables = model_->variables;
  const BatchGraph& graph = *signature_->graph;
  weight_of_.assign(variables.size(), -1);
  for (const BatchGraph::Update& u : graph.updates) {
    const ModelVariable& v = variables[u.variable];
    if (!v.value.buffer) fail("[Predictor] variable \"", v.name, "\" has no value");
    state_variables_.push_back(u.variable);
    state_names_.push_back(v.name);
    auto state = std::make_shared<VariableState>();
    state->name = v.name;
    state->array = serve::copy_of(v.spec, v.value.data());
    states_.push_back(std::move(state));
  }
  std::vector<std::string> names;
  std::vector<Array> arrays;
  for (const int v : serve::weights_of(graph)) {
    if (!variables[v].value.buffer) fail("[Predictor] variable \"", variables[v].name, "\" has no value");
    weight_of_[v] = static_cast<int>(names.size());
    names.push_back(variables[v].name);
    arrays.push_back(variables[v].value);
  }
  store_ = std::make_shared<WeightStore>(std::move(names), std::move(arrays), threads_);
}

Predictor::Context* Predictor::add_context() {
  const int most = has_state() ? 1 : kMaxContexts;
  if (contexts_.count.load(std::memory_order_relaxed) >= most) return nullptr;
  auto made = std::make_unique<Context>(*this);  // outside the mutex, which it takes itself
  std::lock_guard lock(serve::slow_mutex());
  const int count = contexts_.count.load(std::memory_order_relaxed);
  if (count >= most) return nullptr;
  made->gate.enter();
  contexts_.at[count].store(made.get(), std::memory_order_relaxed);
  contexts_.count.store(count + 1, std::memory_order_release);
  return made.release();
}

bool Predictor::try_claim(std::atomic<Context*>& slot, Context*& claimed) {
  claimed = slot.load(std::memory_order_acquire);
  if (!has_state()) return claimed->gate.try_enter_clean();
  const Gate::Entry entry = claimed->gate.try_enter();
  if (entry == Gate::Entry::inherited) {
    // Nothing in the old context can be relied on, not even to be destroyed; its gate stays closed.
    auto made = std::make_unique<Context>(*this);
    made->gate.enter();
    claimed = made.release();
    slot.store(claimed, std::memory_order_release);
  }
  return entry != Gate::Entry::refused;
}

Predictor::Context& Predictor::claim() {
  // A look at one context after the other can miss all of them while others come and go; a second look at each is far
  // cheaper than a new context.
  constexpr int kLooks = 4;
  for (int tries = 0;; ++tries) {
    const int count = contexts_.count.load(std::memory_order_acquire);
    int at = count > 1 ? static_cast<int>(serve::thread_number() % static_cast<uint32_t>(count)) : 0;
    for (int i = 0; i < count; ++i, at = at + 1 == count ? 0 : at + 1) {
      Context* claimed;
      if (try_claim(contexts_.at[at], claimed)) return *claimed;
    }
    if (tries + 1 < kLooks && count > 1) continue;
    if (Context* added = add_context()) return *added;
    serve::back_off(tries);
  }
}

bool Predictor::would_wait() const {
  return has_state() && contexts_.count.load(std::memory_order_acquire) == 1 &&
         !contexts_.at[0].load(std::memory_order_acquire)->gate.is_open();
}

Predictor::Claim::Claim(Predictor& predictor, int64_t rows) : context_(predictor.claim()) {
  try {
    plan_ = context_.plan(rows);
  } catch (...) {
    context_.gate.leave();
    throw;
  }
}

Predictor::Claim::~Claim() { context_.gate.leave(); }

void Predictor::run(int64_t rows, const void* const* inputs, void* const* outputs) {
  Claim(*this, rows).run(inputs, outputs);
}

void Predictor::prepare(const std::vector<int64_t>& batch_sizes, int contexts) {
  const std::vector<Array> before = state();
  for (const int64_t rows : batch_sizes) {
    std::vector<Array> zeros, results;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Port& port : inputs()) {
      zeros.push_back(Array::allocate(port.spec.at(rows)));
      std::memset(zeros.back().data(), 0, static_cast<size_t>(zeros.back().spec.bytes()));
      in.push_back(zeros.back().data());
    }
    for (const Port& port : outputs()) {
      results.push_back(Array::allocate(port.spec.at(rows)));
      out.push_back(results.back().data());
    }
    // Claimed together, so that they are different ones.
    std::vector<std::unique_ptr<Claim>> claims;
    for (int i = 0; i < (has_state() ? 1 : std::min(contexts, kMaxContexts)); ++i) {
      claims.push_back(std::make_unique<Claim>(*this, rows));
      for (int run = 0; run < 2; ++run) claims.back()->run(in.data(), out.data());
    }
  }
  set_state(before);
}

void Predictor::verify() {
  const TestVector& test = signature_->test;
  if (test.rows < 1) return;
  std::vector<Array> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Array& a : test.inputs) in.push_back(a.data());
  for (const Array& a : test.outputs) {
    results.push_back(Array::allocate(a.spec));
    out.push_back(results.back().data());
  }
  run(test.rows, in.data(), out.data());
  reset();
  if (const std::string wrong = compare_with_test(test, results); !wrong.empty()) {
    fail("[Predictor] the model does not give what its stored test vector says: ", wrong);
  }
}

std::vector<Array> Predictor::weights() const { return store_->current()->arrays; }

void Predictor::update(std::vector<Array> weights) {
  store_->update(std::move(weights));
  // So that idle contexts do not keep the old set alive, and their next runs need not look for the new one.
  for_idle([](Context& context) { context.bind_current(); });
}

void Predictor::update_from(const Model& model) {
  std::vector<Array> weights;
  for (const std::string& name : weight_names()) {
    const auto found = std::find_if(model.variables.begin(), model.variables.end(),
                                    [&](const ModelVariable& v) { return v.name == name && v.value.buffer; });
    if (found == model.variables.end()) fail("[update] the model has no weight \"", name, '"');
    weights.push_back(found->value);
  }
  update(std::move(weights));
}

std::vector<Array> Predictor::state() {
  std::vector<Array> copies;
  if (!has_state()) return copies;
  const Hold hold(*this);
  for (const auto& s : states_) copies.push_back(serve::copy_of(s->array.spec, s->array.data()));
  return copies;
}

void Predictor::set_state(const std::vector<Array>& state) {
  if (state.size() != states_.size()) fail("[state] got ", state.size(), " arrays; the state has ", states_.size());
  for (size_t i = 0; i < state.size(); ++i) {
    const Spec& spec = states_[i]->array.spec;
    if (state[i].spec != spec) {
      fail("[state] variable \"", state_names_[i], "\" came as ", state[i].spec, "; it must be ", spec);
    }
  }
  if (!has_state()) return;
  const Hold hold(*this);
  for (size_t i = 0; i < state.size(); ++i) {
    std::memcpy(states_[i]->array.data(), state[i].data(), static_cast<size_t>(state[i].spec.bytes()));
  }
}

void Predictor::reset() {
  std::vector<Array> initial;
  for (const int v : state_variables_) initial.push_back(model_->variables[v].value);
  set_state(initial);
}

template <class Fn>
void Predictor::for_idle(const Fn& fn) {
  for (int i = 0; i < contexts_.count.load(std::memory_order_acquire); ++i) {
    Context* claimed;
    if (!try_claim(contexts_.at[i], claimed)) continue;
    fn(*claimed);
    claimed->gate.leave();
  }
}

Predictor::Memory Predictor::memory() {
  Memory m;
  m.weights = store_->weight_bytes();
  m.packed = store_->packed_bytes();
  m.contexts = contexts_.count.load(std::memory_order_acquire);
  for_idle([&m](Context& context) {
    m.arenas += context.arena_bytes();
    m.plans += context.table().num_plans();
  });
  return m;
}

void Predictor::release() {
  for_idle([](Context& context) { context.table().clear(); });
}

}  // namespace falconet
