// The graph: values and the nodes that make them, in an order where every input precedes its use.
//
// Leaves are `input` (fed at each run), `constant` (memory fixed when traced) and `variable` (read where the variable
// lives at run time). What a run leaves behind is `outputs` and `updates`: the new value of each assigned variable,
// written after everything else has read the old one.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "graph/attr.h"
#include "graph/op.h"

namespace falconet {

// Writes a number as one element of the dtype, rounded to nearest even or wrapped.
void write_scalar(void* to, DType dtype, double value);
double read_scalar(const void* from, DType dtype);

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

// A concrete array: contiguous, row-major.
struct Array {
  Spec spec;
  std::shared_ptr<Buffer> buffer;
  size_t offset = 0;  // bytes

  std::byte* data() const { return buffer->data() + offset; }
  static Array allocate(const Spec& spec) { return {spec, Buffer::allocate(spec.bytes()), 0}; }
};

// The state behind a Variable. `array` moves when variables are flattened into one buffer; plans notice by its address.
struct VariableState {
  Array array;
  std::string name;
  // The flat variable whose memory this one is a part of, and where (elements).
  std::shared_ptr<VariableState> flat;
  int64_t flat_begin = 0;
  int64_t version = 0;  // counts assignments from outside plans
};

struct Node {
  const OpDef* op;
  Attrs attrs;
  std::vector<ValueId> inputs;
  ValueId first_output;
  int num_outputs;
  Array constant;                           // of a `constant`
  std::shared_ptr<VariableState> variable;  // of a `variable`

  template <class T>
  const T& attr(int i) const { return std::get<T>(attrs[i]); }
  bool has_attr(int i) const { return !std::holds_alternative<std::monostate>(attrs[i]); }
  ValueId output(int i = 0) const { return first_output + i; }
};

struct Value {
  Spec spec;
  int32_t node;
};

class Graph {
 public:
  // Runs the shape rule; throws ValueError or TypeError. Operands must already agree in dtype (see graph/emit.h).
  // Returns the first output.
  ValueId add(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs);
  ValueId add_input(const Spec& spec);
  ValueId add_constant(Array array);
  ValueId add_scalar(DType dtype, double value);

  // The variable's value at this point of the trace: as it was, or as last assigned.
  ValueId read(const std::shared_ptr<VariableState>& variable);
  void assign(const std::shared_ptr<VariableState>& variable, ValueId value);
  // The value the variable had when the trace began; kNoValue if it was never read.
  ValueId leaf(const std::shared_ptr<VariableState>& variable) const;

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Value>& values() const { return values_; }
  const Node& node(int i) const { return nodes_[i]; }
  const Node& producer(ValueId v) const { return nodes_[values_[v].node]; }
  const Spec& spec(ValueId v) const { return values_[v].spec; }
  int num_values() const { return static_cast<int>(values_.size()); }

  struct Update {
    std::shared_ptr<VariableState> variable;
    ValueId value;
  };
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<Update> updates;

  // A graph recorded inside another (a loop's body) turns values of the outer one into inputs of its own.
  struct Capture {
    ValueId outer, inner;
  };
  Graph* parent = nullptr;
  std::vector<Capture> captures;
  ValueId capture(ValueId outer);

  // Throws InternalError where a node's specs, order or references are not what its op says.
  void verify() const;
  std::string text() const;  // readable listing

 private:
  ValueId append(const OpDef& op, Attrs attrs, std::vector<ValueId> inputs, const std::vector<Spec>& outputs);
  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::unordered_map<const VariableState*, ValueId> reads_;
};

}  // namespace falconet
