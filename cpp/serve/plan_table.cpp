#include "serve/plan_table.h"

#include <algorithm>
#include <cstring>

#include "graph/simplify.h"

namespace falconet::serve {

PlanTable::PlanTable(const Signature& signature, std::vector<std::shared_ptr<VariableState>> states,
                     std::shared_ptr<Arena> arena, const PlanOptions& options)
    : signature_(signature), states_(std::move(states)), arena_(std::move(arena)), options_(options) {}

Plan& PlanTable::make(int64_t rows) {
  if (Plan* plan = find(rows)) return *plan;
  std::unique_ptr<Plan> plan = make_plan(*simplify(*signature_.at(rows, states_), true), arena_, options_);
  if (entries_.size() == kMaxPlans) {
    const auto oldest = std::min_element(entries_.begin(), entries_.end(),
                                         [](const Entry& a, const Entry& b) { return a.used < b.used; });
    *oldest = std::move(entries_.back());
    entries_.pop_back();
  }
  if (plan->arena_bytes() > arena_->bytes()) {
    arena_->reserve(plan->arena_bytes());
    // The system gives pages when they are touched: now rather than in the first run.
    std::memset(arena_->data(), 0, arena_->bytes());
  }
  entries_.reserve(kMaxPlans);
  entries_.push_back({rows, 0, std::move(plan)});
  return *use(entries_.back());
}

void PlanTable::clear() {
  entries_.clear();
  last_rows_ = -1;
  last_plan_ = nullptr;
  arena_->release();
}

}  // namespace falconet::serve
