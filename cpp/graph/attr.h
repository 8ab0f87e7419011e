// Attributes of a node: a closed set of plain types, in the order the op declares them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/dtype.h"

namespace falconet {

class Graph;

using Ints = std::vector<int64_t>;

class Emitter;

// What only lives in this process and is never saved: a user's gradient function.
struct Callback {
  virtual ~Callback() = default;
  // The gradients of the sources, given those of the outputs; values of the emitter's graph.
  virtual std::vector<int32_t> gradient(Emitter& e, const std::vector<int32_t>& dys) const = 0;
};

// std::monostate: None.
using Attr = std::variant<std::monostate, bool, int64_t, double, std::string, Ints, DType, std::shared_ptr<const Graph>,
                          std::shared_ptr<const Callback>>;
using Attrs = std::vector<Attr>;

enum class AttrKind : uint8_t { boolean, integer, real, text, ints, dtype, graph, callback };

struct AttrDef {
  const char* name;
  AttrKind kind;
  Attr fallback = {};      // what an absent argument means
  bool required = false;
};

size_t hash_attr(const Attr& attr);
std::string attr_text(const Attr& attr);

}  // namespace falconet
