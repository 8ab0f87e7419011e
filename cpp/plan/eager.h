// Ops at once: each call runs a small plan that was made the first time this op met these attributes and specs.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/plan.h"

namespace falconet {

// An array with an identity, by which tapes know it again.
struct Concrete {
  Array array;
  uint64_t id = 0;
};
uint64_t new_array_id();

// Not for two threads at a time: the caller holds a lock.
class EagerOps {
 public:
  // The plan for op(attrs) on inputs of these specs, promotion and composition included. Throws what the shape rule does.
  Plan& find(const OpDef& op, const Attrs& attrs, const Spec* specs, int count);
  // Finds and runs; outputs are fresh arrays.
  std::vector<Concrete> run(const OpDef& op, const Attrs& attrs, const std::vector<Concrete>& inputs);
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
  // Of the call at hand; kept, so that a call allocates little but its outputs.
  std::string key_;
  std::vector<Spec> specs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
};

}  // namespace falconet
