// Graphs as JSON: the nodes in order, each reading values by number.
//
//   {"nodes": [{"op": "input", "dtype": "float32", "shape": ["n", 4]},
//              {"op": "variable", "variable": 0},
//              {"op": "constant", "tensor": "falconet/constant/0"},
//              {"op": "constant", "dtype": "float32", "value": 0.5},
//              {"op": "gemm", "in": [0, 1], "attrs": {"transpose_a": false}},
//              {"op": "top_k_rows", "in": [4], "attrs": {"k": 2}, "out": 2}],
//    "results": [4], "updates": [[0, 4]]}
//
// An integer that depends on the number of rows n is a string: "n", "12n", "12n+3", "-n+3".
#pragma once

#include <string>

#include "format/container.h"
#include "format/json.h"
#include "graph/batch_graph.h"

namespace falconet {

// Where a graph's constants are found.
class ConstantSource {
 public:
  virtual ~ConstantSource() = default;
  virtual Array constant(const std::string& tensor) = 0;  // throws where there is none
};

// What a reader of graphs needs.
struct GraphContext {
  ConstantSource& constants;
  int num_variables;
  Budget& budget;
};

std::shared_ptr<const BatchGraph> read_graph(JsonReader& json, GraphContext& context);
// Its members, one at a time, for graphs that are part of a larger object; false where the key is none of a graph's.
class GraphReader {
 public:
  GraphReader(JsonReader& json, GraphContext& context) : json_(json), context_(context), seen_(json) {}
  bool member(const std::string& key);
  std::shared_ptr<const BatchGraph> finish();

 private:
  void node();
  BatchAttr attribute(const AttrDef& def);
  JsonReader& json_;
  GraphContext& context_;
  SeenKeys seen_;
  std::shared_ptr<BatchGraph> graph_ = std::make_shared<BatchGraph>();
  int num_values_ = 0;
};

Affine read_affine(JsonReader& json);
BatchSpec read_spec_member(JsonReader& json, const std::string& key, BatchSpec spec);

// Writes a graph's members, without braces. name_constant(array) gives the name of the tensor that holds it.
class GraphWriter {
 public:
  virtual ~GraphWriter() = default;
  void write(std::string& to, const BatchGraph& graph);

 protected:
  virtual std::string name_constant(const Array& array) = 0;

 private:
  void write_node(std::string& to, const BatchNode& node);
  void write_attr(std::string& to, const BatchAttr& attr);
};

void append_affine(std::string& to, const Affine& a);
void append_affines(std::string& to, const std::vector<Affine>& list);

}  // namespace falconet
