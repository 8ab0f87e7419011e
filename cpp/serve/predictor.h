// A model that answers: "predict" of a model file or of a model in memory, from any number of threads.
//
// A run claims a context (plans and memory of its own), which takes one atomic instruction where one is free, and a new
// context is made only where a run finds all at work. After the first run of a batch size in a context nothing is
// allocated, no lock is taken and the system is not called, except by work large enough to be shared among threads.
//
// A model whose predictions update variables (a streaming model) has a state instead: one context, and one run at a
// time.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "plan/plan.h"
#include "serve/weights.h"

namespace falconet {

struct PredictorOptions {
  int threads = 0;  // that one run may use, the caller's included; 0: those of the pool. Small work uses one anyway
  std::vector<int64_t> batch_sizes = {1};  // prepared at once; others at their first run
  bool verify = true;                      // run the model's stored test vector and compare
};

class Predictor {
  class Context;

 public:
  // The arrays of `model` are read as long as the predictor lives, and must not be written to.
  // ValueError where there is no "predict" or it does not give what its test vector says.
  explicit Predictor(Model model, const PredictorOptions& options = {});
  ~Predictor();
  Predictor(const Predictor&) = delete;

  // Another predictor on the same weights, which update() replaces for both, with a state of its own: a copy of this
  // one's. For many streams through one model.
  std::unique_ptr<Predictor> copy();

  const std::vector<Port>& inputs() const { return signature_->inputs; }
  const std::vector<Port>& outputs() const { return signature_->outputs; }
  const std::string& producer() const { return model_->producer; }
  const std::map<std::string, std::string>& metadata() const { return model_->metadata; }

  // `inputs`, `outputs`: contiguous memory in the order of the ports, each of spec.at(rows). Outputs must not overlap
  // inputs. ValueError where an index was out of range (of an embedding, say).
  void run(int64_t rows, const void* const* inputs, void* const* outputs);

  // A claimed context with its plan: run() in two steps, for callers that want to know the cost in between. At most one
  // a thread and predictor at a time.
  class Claim {
   public:
    Claim(Predictor& predictor, int64_t rows);
    ~Claim();
    Claim(const Claim&) = delete;
    int64_t cost() const { return plan_->cost(); }  // about the flops of a run
    void run(const void* const* inputs, void* const* outputs) { plan_->run(inputs, outputs); }

   private:
    Context& context_;
    Plan* plan_;
  };
  // Whether a claim would wait: the predictor has a state and somebody is at work on it.
  bool would_wait() const;

  // Makes plans and touches their memory, so that first runs take no longer than later ones: in `contexts` contexts,
  // as many as threads will predict at the same time.
  void prepare(const std::vector<int64_t>& batch_sizes, int contexts = 1);

  // The weights that predictions read, in a fixed order.
  const std::vector<std::string>& weight_names() const { return store_->names(); }
  std::vector<Array> weights() const;
  // Replaces all of them at once. Runs under way end with the old ones, later ones begin with the new; none sees both.
  // The arrays must not be written to from then on. ValueError naming the weight that does not fit.
  void update(std::vector<Array> weights);
  // The same with the weights of another model, by name.
  void update_from(const Model& model);

  // The state: variables that predictions update, none for most models.
  const std::vector<std::string>& state_names() const { return state_names_; }
  std::vector<Array> state();                       // a copy
  void set_state(const std::vector<Array>& state);  // copied. ValueError naming the variable that does not fit
  void reset();                                     // to what it was in the model

  // What it holds, in bytes. The arenas of all contexts together are their number times the largest need among the
  // batch sizes met.
  struct Memory {
    int64_t weights = 0, packed = 0, arenas = 0, contexts = 0, plans = 0;
  };
  Memory memory();
  // Gives back the plans and arenas of all contexts that are idle. The next runs make them again.
  void release();

 private:
  struct Copy {};
  Predictor(Copy, const Predictor& other);
  void find_variables();
  bool has_state() const { return !states_.empty(); }
  Context& claim();
  class Hold;  // a claim as long as it lives
  bool try_claim(std::atomic<Context*>& slot, Context*& claimed);
  Context* add_context();
  void verify();
  // Calls fn(context) for each context that nobody is at work in.
  template <class Fn>
  void for_idle(const Fn& fn);

  std::shared_ptr<const Model> model_;
  const Signature* signature_;
  int threads_;
  std::vector<int> weight_of_;  // variable -> weight; -1: a state, or not read
  std::vector<int> state_variables_;
  std::vector<std::string> state_names_;
  std::vector<std::shared_ptr<VariableState>> states_;  // one for each of state_variables_
  std::shared_ptr<serve::WeightStore> store_;

  static constexpr int kMaxContexts = 256;  // beyond that callers wait for one
  struct Contexts {
    ~Contexts();
    std::atomic<Context*> at[kMaxContexts] = {};
    std::atomic<int> count{0};
  } contexts_;
};

}  // namespace falconet
