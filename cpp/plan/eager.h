// Ops at once: each call runs a small plan that was made the first time this op met these attributes and specs.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/plan.h"

namespace falconet {

// Not for two threads at a time: the caller holds a lock.
class EagerOps {
 public:
  // The plan for op(attrs) on inputs of these specs, promotion and composition included. Throws what the shape rule does.
  Plan& find(const OpDef& op, const Attrs& attrs, const Spec* specs, int count);
  // Finds and runs; outputs are fresh arrays.
  std::vector<Array> run(const OpDef& op, const Attrs& attrs, const std::vector<Array>& inputs);
  void clear();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  // More plans than this are forgotten together: shapes that vary without end must not fill memory.
  static constexpr size_t kMaxPlans = 8192;

  std::unordered_map<std::string, std::unique_ptr<Plan>, Hash, std::equal_to<>> plans_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::string key_;
};

}  // namespace falconet
