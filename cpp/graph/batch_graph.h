// A graph for any number of rows in a batch.
//
// A Graph has fixed shapes. Recorded at three batch sizes, a model gives three graphs of the same nodes, in which every
// integer that differs (a size of an input, an element of an attribute) is `fixed + per_row * n`: fitted on two of them
// and checked on the third. What an integer is at another size follows, and the ops' shape rules do the rest.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace falconet {

// An integer that depends on the number of rows n.
struct Affine {
  int64_t fixed = 0, per_row = 0;
  bool operator==(const Affine&) const = default;
  int64_t at(int64_t n) const;  // ValueError where it does not fit 64 bits
};

struct BatchSpec {
  DType dtype = DType::float32;
  std::vector<Affine> shape;
  Spec at(int64_t n) const;  // ValueError where a size is negative, there are too many axes or it has too many bytes
};

class BatchGraph;
using AffineInts = std::vector<Affine>;
// The kinds of Attr, integers being affine and bodies being graphs for any number of rows. A Callback has none.
using BatchAttr = std::variant<std::monostate, bool, Affine, double, std::string, AffineInts, DType,
                               std::shared_ptr<const BatchGraph>>;

// What only inputs and constants have.
struct BatchLeaf {
  BatchSpec spec;  // of an input; of a constant without `array`, which has shape () and is `scalar`
  Array array;     // of a constant that is the same at every batch size
  Affine scalar;
};

struct BatchNode {
  const OpDef* op = nullptr;
  std::vector<BatchAttr> attrs;
  std::vector<ValueId> inputs;  // values count up over the nodes, `num_outputs` a node
  int num_outputs = 1;
  int variable = -1;  // of a `variable`: which
  std::shared_ptr<const BatchLeaf> leaf;
};

// What instantiating may ask for: shape rules run on whatever a file says.
struct GraphLimits {
  // Bytes of any one value. Larger ones are a ValueError, before anything is allocated.
  int64_t value_bytes = int64_t{4} << 30;
  // Steps of any loop, times those of the loops around it. A loop without a bound is a ValueError.
  int64_t loop_steps = int64_t{1} << 24;
};

class BatchGraph {
 public:
  // `graphs`: recordings of one function at the three batch sizes `rows`, different and increasing. They are simplified
  // first; markers of gradients given by functions (with_gradient) fall away, as gradients have been recorded by then.
  // Variables are appended to `variables` where they are not in it yet.
  // ValueError where the recordings differ in more than affine integers; it names op and attribute.
  static std::shared_ptr<const BatchGraph> fit(const std::vector<const Graph*>& graphs,
                                               const std::vector<int64_t>& rows,
                                               std::vector<std::shared_ptr<VariableState>>& variables);

  // The graph for n >= 0 rows: every shape rule runs again. variables[i] stands for variable i. ValueError or TypeError
  // where a rule refuses, a node has the wrong number or dtypes of operands or attributes, or a limit is passed.
  std::unique_ptr<Graph> at(int64_t n, const std::vector<std::shared_ptr<VariableState>>& variables,
                            const GraphLimits& limits = {}) const;

  int num_values() const;
  // The nodes that are inputs, in their order.
  std::vector<const BatchNode*> input_nodes() const;

  std::vector<BatchNode> nodes;
  std::vector<ValueId> outputs;
  struct Update {
    int variable;
    ValueId value;
  };
  std::vector<Update> updates;
};

}  // namespace falconet
