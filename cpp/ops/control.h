// What ops share whose bodies are graphs.
//
// A body's inputs are the operands it works on followed by what it takes from outside (captures). Gradient rules build
// bodies of their own: the body's nodes again, followed by those of its gradient.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "ops/rules.h"

namespace falconet {

using Body = std::shared_ptr<const Graph>;

inline const Graph& body_of(const Node& n, int attr) { return *std::get<Body>(n.attrs[attr]); }
inline bool differentiable(const Spec& spec) { return is_float(spec.dtype); }

// Appends a body's nodes to a graph, its inputs being `inputs`; returns its outputs.
std::vector<ValueId> inline_body(Graph& to, const Graph& body, const std::vector<ValueId>& inputs);

std::vector<ValueId> zeros_where_absent(Emitter& e, std::vector<ValueId> gradients, const std::vector<ValueId>& like);

// That an operand is what a body was recorded for; `what` names the body in the error.
void check_operand(InferContext& c, const Graph& body, int input, const Spec& came, const char* what);

// A count that an attribute gives: not negative, and at most `most`.
int count_attr(InferContext& c, int attr, const char* name, size_t most);

// Pointers that an instruction passes to a body; those in `at` are bound by the plan.
struct BodyArgs {
  const SubPlan* plan = nullptr;
  const void** inputs = nullptr;
  void** outputs = nullptr;
  int num_inputs = 0, num_outputs = 0;
};

BodyArgs make_body(Lowering& l, const Graph& body);

}  // namespace falconet
