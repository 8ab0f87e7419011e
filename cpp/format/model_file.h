// The model file: what it holds, and reading and writing it. docs/model_file.md is the format.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/batch_graph.h"

namespace falconet {

struct ModelVariable {
  std::string name;  // the layer's path: "dense/kernel"; unique in its model
  std::string
      role;  // "weight", "optimizer", "metric", "seed", "state", or "flat" for a buffer that others are parts of
  Spec spec;
  bool trainable = false;
  int flat = -1;           // the variable of role "flat" that it is a part of
  int64_t flat_begin = 0;  // where, in elements
  Array value;             // empty for role "flat": its parts cover it
};

// An input or output of a signature.
struct Port {
  std::string name;
  BatchSpec spec;  // the first axis counts rows, where the model takes any number of them
};

// Inputs and the outputs they gave where the model was written, to be computed again where it is read.
struct TestVector {
  int64_t rows = 0;
  std::vector<Array> inputs, outputs;  // in the order of the ports
};

// A function of the model: "predict", and in a file to go on training with "train" and "evaluate". Inputs of these are
// the model's, then "y" (or "y/<name>"), then "sample_weight"; outputs are "loss" and the metrics.
struct Signature {
  std::vector<Port> inputs, outputs;
  std::shared_ptr<const BatchGraph> graph;  // its inputs and outputs are the ports, in order
  TestVector test;                          // of "predict": rows > 0

  // The graph for n rows, whose outputs are found to be what the ports say; throws as BatchGraph::at does. Use this
  // rather than graph->at() for what was read from a file.
  std::unique_ptr<Graph> at(int64_t n, const std::vector<std::shared_ptr<VariableState>>& states,
                            const GraphLimits& limits = {}) const;
};

struct Model {
  std::vector<ModelVariable> variables;
  std::map<std::string, Signature> signatures;
  std::map<std::string, std::string> metadata;  // the user's
  std::string producer;                         // "falconet 0.1.0"

  // States for the variables, in their order, for BatchGraph::at. Read-only: they share the memory of `variables` (a
  // mapped file, which must not be written), and flat ones have no memory. Writable: copies of their own, parts lying
  // in the flat buffers.
  std::vector<std::shared_ptr<VariableState>> make_states(bool writable) const;
  // ValueError naming the signatures there are.
  const Signature& signature(const std::string& name) const;
};

struct ReadOptions {
  bool verify_checksum = true;
};

// Throws ValueError for anything but a well-formed file; nothing in it is trusted. Variables and constants share the
// file's mapped memory. Allocates at most 1.25 times the file's size and 1 MiB, in time linear in it. Shapes inside the
// graphs are found, and refused where they do not fit, by Signature::at.
Model read_model(const std::string& path, const ReadOptions& options = {});
// The same from memory, which `owner` keeps alive. `data` is copied where it is not aligned to 64 bytes.
Model read_model(const void* data, size_t bytes, std::shared_ptr<void> owner, const ReadOptions& options = {});

// Writes whole or not at all: a temporary file beside it is flushed to disk and put in its place.
void write_model(const std::string& path, const Model& model);
std::string model_to_bytes(const Model& model);

// How far an output may lie from a test vector's on another machine, as a share of its largest element. 0 for integers.
double test_tolerance(DType dtype);
// Empty where outputs agree with a test vector's to within that, else what differs, in words.
std::string compare_with_test(const TestVector& test, const std::vector<Array>& outputs);

}  // namespace falconet
