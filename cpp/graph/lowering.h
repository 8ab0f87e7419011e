// How an op's lowering asks for instructions. The plan implements it; ops only know this page.
//
//   void lower(Lowering& l) {
//     auto& a = l.emit<SoftmaxArgs>(l.kernels.rows.softmax[...], rows, 16 * width);
//     a.width = width;
//     l.bind(a.x, l.in(0));  l.bind(a.y, l.out(0));
//   }
#pragma once

#include <new>
#include <string>
#include <type_traits>

#include "graph/graph.h"
#include "kernels/kernels.h"

namespace falconet {

// Memory an instruction reads or writes: a value's, or scratch of this node's.
struct Ref {
  int32_t id = -1;      // value id, or scratch number
  bool scratch = false;
  int64_t offset = 0;   // bytes
  Ref operator+(int64_t bytes) const { return {id, scratch, offset + bytes}; }
};

// What follows a matrix product elementwise and runs on each block of C while it is hot.
struct FusedEpilogue {
  Ref bias;                      // id < 0: none
  bool relu = false;
  Ref gate;                      // GemmArgs::gate; id < 0: none
  Ref destination;               // where C goes instead of out(0); id < 0: out(0)
};

// How a pointwise op asks for micro-operations. Slots are numbers of tile-sized registers.
class TileEmitter {
 public:
  TileEmitter(const Graph& graph, const Node& node) : graph(graph), node(node) {}
  virtual ~TileEmitter() = default;
  const Graph& graph;
  const Node& node;

  DType in_dtype(int i) const { return graph.spec(node.inputs[i]).dtype; }
  DType out_dtype() const { return graph.spec(node.output()).dtype; }
  virtual int in(int i) = 0;                    // element by element, broadcast to the domain
  virtual int pointer(int i) = 0;               // the memory of input i itself, the same for every tile
  virtual int constant(double value, Lane lane) = 0;
  virtual int emit(Micro micro, Lane lane, int a = -1, int b = -1, int c = -1) = 0;
  virtual int convert(int a, DType from, DType to) = 0;
};

// A body of a loop or branch, laid out as a plan of its own.
struct SubPlan {
  virtual ~SubPlan() = default;
  virtual void run(const void* const* inputs, void* const* outputs) const = 0;
};

class Lowering {
 public:
  Lowering(const Graph& graph, const Node& node, const Kernels& kernels, int threads)
      : kernels(kernels), threads(threads), graph_(graph), node_(node) {}
  virtual ~Lowering() = default;

  const Kernels& kernels;
  const int threads;

  const Node& node() const { return node_; }
  const Spec& in_spec(int i) const { return graph_.spec(node_.inputs[i]); }
  const Spec& out_spec(int i = 0) const { return graph_.spec(node_.output(i)); }
  Ref in(int i) const { return {node_.inputs[i]}; }
  Ref out(int i = 0) const { return {node_.output(i)}; }
  // Memory that lives while this node's instructions run.
  virtual Ref scratch(int64_t bytes) = 0;
  // The packed form of input i where the plan's owner keeps one (Packing in plan/planner.h), for bind_variable; null
  // where there is none. `form` describes the matrix, its pointers are not set.
  virtual std::shared_ptr<VariableState> packed(int i, const PackBArgs& form) = 0;
  // Sets `field` to the variable's memory, wherever it is at each run.
  virtual void bind_variable(const void*& field, const std::shared_ptr<VariableState>& variable) = 0;

  // Adds an instruction: `units` pieces of independent work of about `unit_cost` flops (or bytes / 4) each. The
  // arguments live as long as the plan; pointers in them are set by bind, never by hand.
  template <class Args>
  Args& emit(TaskFn task, int64_t units, int64_t unit_cost, const Args& args = {}) {
    static_assert(std::is_trivially_destructible_v<Args>);
    return *new (add_instruction(task, units, unit_cost, sizeof(Args))) Args(args);
  }
  // What profile and dump say of the instruction just emitted, where it is not the node's name, its cost as flops and
  // the bytes of its operands (`bytes` < 0: these).
  virtual void describe(const char* name, int64_t flops, int64_t bytes = -1) = 0;
  void bind(const void*& field, Ref ref) { bind_pointer(const_cast<void**>(&field), ref, false); }
  void bind(void*& field, Ref ref) { bind_pointer(&field, ref, true); }
  template <class T>
  void bind(const T*& field, Ref ref) { bind_pointer(reinterpret_cast<void**>(const_cast<T**>(&field)), ref, false); }
  template <class T>
  void bind(T*& field, Ref ref) { bind_pointer(reinterpret_cast<void**>(&field), ref, true); }
  // Memory for arrays that arguments point to (index tables); lives as long as the plan.
  template <class T>
  T* keep(const T* from, int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    T* to = static_cast<T*>(keep_bytes(sizeof(T) * count));
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    return to;
  }
  virtual FusedEpilogue epilogue() const = 0;
  // Gives the instruction just emitted the rest of its epilogue, where there is one.
  virtual void attach_epilogue(GemmArgs& args) = 0;
  // Whether input i is made inside output 0 already (see OpDef::place_inputs).
  virtual bool in_place(int i) const = 0;
  virtual const SubPlan* sub_plan(const Graph& body) = 0;
  // An int32 that kernels set to nonzero on an index out of range; the plan turns it into an error naming the op, and
  // the memory that is indexed: in words, or "" for the first input by its shape.
  virtual int32_t* index_error(const std::string& indexed = "") = 0;

 protected:
  virtual void* add_instruction(TaskFn task, int64_t units, int64_t unit_cost, size_t args_bytes) = 0;
  virtual void bind_pointer(void** field, Ref ref, bool writes) = 0;
  virtual void* keep_bytes(size_t bytes) = 0;

 private:
  const Graph& graph_;
  const Node& node_;
};

}  // namespace falconet
