// The plans of one function of a model, one for each number of rows it has met lately.
#pragma once

#include <memory>
#include <vector>

#include "format/model_file.h"
#include "plan/planner.h"

namespace falconet::serve {

class PlanTable {
 public:
  // `signature` outlives the table. `states`: one for each variable of the model. Plans share `arena`, so one runs at a
  // time.
  PlanTable(const Signature& signature, std::vector<std::shared_ptr<VariableState>> states,
            std::shared_ptr<Arena> arena, const PlanOptions& options);

  // Null where there is no plan for this number of rows yet. Allocates nothing.
  Plan* find(int64_t rows) {
    if (rows == last_rows_) return last_plan_;
    for (Entry& e : entries_) {
      if (e.rows == rows) return use(e);
    }
    return nullptr;
  }
  // Makes the plan where there is none; the one that was used the longest time ago gives way. Throws what
  // Signature::at throws.
  Plan& make(int64_t rows);
  void clear();
  int64_t num_plans() const { return static_cast<int64_t>(entries_.size()); }

 private:
  struct Entry {
    int64_t rows;
    uint64_t used;
    std::unique_ptr<Plan> plan;
  };
  Plan* use(Entry& entry) {
    entry.used = ++clock_;
    last_rows_ = entry.rows;
    return last_plan_ = entry.plan.get();
  }

  // Enough for the sizes that a service meets in turn, few enough that plans stay small beside weights.
  static constexpr size_t kMaxPlans = 64;

  const Signature& signature_;
  std::vector<std::shared_ptr<VariableState>> states_;
  std::shared_ptr<Arena> arena_;
  PlanOptions options_;
  std::vector<Entry> entries_;
  int64_t last_rows_ = -1;
  Plan* last_plan_ = nullptr;
  uint64_t clock_ = 0;
};

}  // namespace falconet::serve
