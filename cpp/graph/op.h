// What an op is: its signature, shape rule, gradient rule and lowering, declared side by side in one file of ops/.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/shape.h"
#include "graph/attr.h"
#include "kernels/pointwise.h"

namespace falconet {

struct Node;
class Graph;
class Emitter;                // graph/emit.h
class TileEmitter;            // graph/lowering.h
class GradientContext;  // graph/gradient.h
class Lowering;         // graph/lowering.h
struct OpDef;

// Passed to a shape rule: reads input specs and attributes, writes output specs; may write attributes in canonical form
// (a resolved -1, a non-negative axis), so that later stages see one form only.
class InferContext {
 public:
  InferContext(const OpDef& op, Attrs& attrs, const std::vector<Spec>& in) : op_(op), attrs_(attrs), in_(in) {}

  int num_inputs() const { return static_cast<int>(in_.size()); }
  const Spec& in(int i) const { return in_[i]; }
  template <class T>
  const T& attr(int i) const { return std::get<T>(attrs_[i]); }
  bool has_attr(int i) const { return !std::holds_alternative<std::monostate>(attrs_[i]); }
  void set_attr(int i, Attr value) { attrs_[i] = std::move(value); }
  void set_out(DType dtype, const Shape& shape) { out_.push_back({dtype, shape}); }
  const std::vector<Spec>& out() const { return out_; }

  template <class... Parts>
  void check(bool holds, const Parts&... parts) const {
    if (!holds) refuse(parts...);
  }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const { fail<ValueError>("[", op_name(), "] ", parts...); }
  template <class... Parts>
  [[noreturn]] void refuse_type(const Parts&... parts) const { fail<TypeError>("[", op_name(), "] ", parts...); }
  int axis(int attr_index, int rank) const;  // normalised, checked; errors name the op and attribute

 private:
  const char* op_name() const;
  const OpDef& op_;
  Attrs& attrs_;
  const std::vector<Spec>& in_;
  std::vector<Spec> out_;
};

// How operands of different dtypes are brought to one before a pointwise op sees them.
enum class Promote : uint8_t {
  none,       // each operand keeps its dtype
  common,     // Keras's common dtype
  numeric,    // the common dtype, bool becoming int32
  floating,   // the common dtype, integers and bool becoming float32 (float64 for 64-bit where Keras says so)
  last_two,   // operand 0 is a condition cast to bool, the others go to their common dtype
  logical,    // all to bool
};

// A rule that only recording and differentiating call. A build for inference keeps no more of it than whether there is one,
// so that the rule itself, which nothing refers to any more, is left out.
#ifdef FALCONET_INFERENCE_ONLY
template <class Signature>
class TrainingRule {
 public:
  constexpr TrainingRule(std::nullptr_t) {}
  constexpr TrainingRule(const TrainingRule&) = default;
  template <class Rule, class = std::enable_if_t<!std::is_same_v<std::decay_t<Rule>, TrainingRule>>>
  constexpr TrainingRule(Rule&&) : is_there_(true) {}
  constexpr TrainingRule& operator=(const TrainingRule&) = default;
  constexpr explicit operator bool() const { return is_there_; }

 private:
  bool is_there_ = false;
};
#else
template <class Signature>
using TrainingRule = Signature*;
#endif
using GradientRule = TrainingRule<void(GradientContext&)>;
using ComposeRule = TrainingRule<std::vector<int32_t>(Emitter&, const Attrs&, const std::vector<int32_t>&)>;

struct OpDef {
  const char* name = nullptr;
  const char* known_as = nullptr;   // of a primitive: what its user called, for messages about values
  std::vector<const char*> inputs = {};  // a name ending in "..." takes any number (last place only)
  std::vector<AttrDef> attrs = {};
  int num_outputs = 1;              // -1: as many as the shape rule sets
  Promote promote = Promote::none;

  void (*infer)(InferContext&) = nullptr;
  GradientRule gradient = nullptr;  // null: no gradient flows (no_gradient says why)
  const char* no_gradient = nullptr;
  void (*lower)(Lowering&) = nullptr;            // null: never reaches a plan (leaf, alias or pointwise)

  // Pointwise: one micro-operation; clusters of them become tile programs.
  bool pointwise = false;
  Micro micro = Micro::copy;
  int (*tile)(TileEmitter&) = nullptr;  // instead of `micro`: emits several, returns the slot of the result
  // Composite: recorded as other ops. Outside a trace it still is one call and one plan.
  ComposeRule compose = nullptr;
  // A reduction of trailing axes that may end a tile program; -1: none, else a ReduceOp.
  int tail = -1;
  // A matrix product that can run what follows it elementwise on each block (Lowering::epilogue).
  bool takes_epilogue = false;
  // Where output 0 is a contiguous part of input 0's memory: the byte offset; -1 where it is not. Null: never.
  int64_t (*view)(const Graph&, const Node&) = nullptr;
  // Where inputs may be made inside output 0's memory (concatenation): a byte offset each; empty: nowhere.
  std::vector<int64_t> (*place_inputs)(const Graph&, const Node&) = nullptr;
  int steps_attr = -1;       // of a loop: the attribute that bounds how often its bodies run
  bool uses_index = false;   // pointwise, and a function of the element's number
  bool is_leaf = false;      // input, constant, variable
  bool has_effect = false;   // never folded, merged or dropped as common

  const char* doc = "";

  bool variadic() const { return !inputs.empty() && std::string_view(inputs.back()).ends_with("..."); }
};

// Every op, in the order of ops/ops.inc.
const std::vector<const OpDef*>& op_table();
const OpDef* find_op(std::string_view name);  // null where unknown
const OpDef& op(std::string_view name);       // InternalError where unknown

}  // namespace falconet
