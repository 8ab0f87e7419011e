// The op table: ops.inc expanded.
#include <algorithm>
#include <unordered_map>

#include "graph/op.h"

namespace falconet {

#define FALCONET_OP(name) extern const OpDef name##_op;
#include "ops/ops.inc"
#undef FALCONET_OP

const std::vector<const OpDef*>& op_table() {
  static const std::vector<const OpDef*> table = {
#define FALCONET_OP(name) &name##_op,
#include "ops/ops.inc"
#undef FALCONET_OP
  };
  return table;
}

const OpDef* find_op(std::string_view name) {
  static const std::unordered_map<std::string_view, const OpDef*> by_name = [] {
    std::unordered_map<std::string_view, const OpDef*> map;
    for (const OpDef* op : op_table()) map[op->name] = op;
    return map;
  }();
  const auto it = by_name.find(name);
  return it == by_name.end() ? nullptr : it->second;
}

const OpDef& op(std::string_view name) {
  if (const OpDef* found = find_op(name)) return *found;
  fail<InternalError>("no op named \"", name, "\"");
}

}  // namespace falconet
