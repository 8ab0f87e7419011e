// A model that goes on learning: the training step of a model file as an object, with predictions from the same
// weights.
//
// One step or prediction at a time; callers in other threads wait their turn. After the first step of a batch size
// nothing is allocated.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "serve/gate.h"
#include "serve/plan_table.h"
#include "serve/predictor.h"

namespace falconet {

class Learner {
 public:
  // Takes copies of the model's variables: weights, the optimizer's, metrics, seeds. `threads` as in PredictorOptions.
  // ValueError where the model has no "train".
  explicit Learner(Model model, int threads = 0);
  Learner(const Learner&) = delete;

  // "train", "predict", and "evaluate" where the model has it.
  enum class Function : uint8_t { train, predict, evaluate };
  static constexpr int kNumFunctions = 3;
  const Signature& signature(Function f) const;  // ValueError where the model lacks it
  bool has_evaluate() const { return model_.signatures.count("evaluate") != 0; }

  // One step of training on `rows` rows: `inputs` and `outputs` as in Predictor::run, in the order of the ports of
  // signature(Function::train). The outputs are the loss and metrics so far.
  void step(int64_t rows, const void* const* inputs, void* const* outputs) {
    run(Function::train, rows, inputs, outputs);
  }
  void predict(int64_t rows, const void* const* inputs, void* const* outputs) {
    run(Function::predict, rows, inputs, outputs);
  }
  void run(Function f, int64_t rows, const void* const* inputs, void* const* outputs);

  // As Predictor::Claim.
  class Claim {
   public:
    Claim(Learner& learner, Function f, int64_t rows);
    ~Claim() { learner_.gate_.leave(); }
    Claim(const Claim&) = delete;
    int64_t cost() const { return plan_->cost(); }
    void run(const void* const* inputs, void* const* outputs) { plan_->run(inputs, outputs); }

   private:
    Learner& learner_;
    Plan* plan_;
  };
  bool would_wait() const { return !gate_.is_open(); }

  // Copies of the weights that predictions read, as Predictor::update takes them.
  const std::vector<std::string>& weight_names() const { return weight_names_; }
  std::vector<Array> weights();
  // Puts them into a predictor of the same model; neither stops. ValueError where it is of another.
  void snapshot(Predictor& predictor);
  // Sets the variables of metrics to zero.
  void reset_metrics();
  // The model as it is now, with copies of all variables, its stored test vector computed anew. Written and read again
  // it goes on exactly where this one is.
  Model model();

 private:
  class Hold;  // the learner to oneself
  void make_tables();

  Model model_;
  const int threads_;
  std::vector<std::shared_ptr<VariableState>> states_;
  std::vector<int> weights_;
  std::vector<std::string> weight_names_;
  std::unique_ptr<serve::PlanTable> tables_[kNumFunctions];  // null where the model lacks the function
  serve::Gate gate_;
};

}  // namespace falconet
