// Every op of the table with operands and attributes that nobody would record: a shape rule either refuses them, or
// what it let through runs. Files reach exactly this far.
//
//   shape_rules_fuzz [COUNT [SEED]]   COUNT tries of each op
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "graph/batch_graph.h"
#include "graph/simplify.h"
#include "plan/planner.h"

namespace {

using namespace falconet;

constexpr GraphLimits kLimits{int64_t{1} << 18, 16};
constexpr int64_t kMostWork = 5'000'000;

class Tries {
 public:
  explicit Tries(uint64_t seed) : state_(seed * 2 + 1) {}

  // 1: it ran; 0: refused.
  int once(const OpDef& op) {
    auto graph = std::make_shared<BatchGraph>();
    BatchNode node;
    node.op = &op;
    const size_t count = op.variadic() ? below(4) + 1 : op.inputs.size();
    for (size_t i = 0; i < count; ++i) {
      // Often as the operand before, so that rules that ask for equal ones are passed.
      if (i > 0 && below(3) > 0) {
        graph->nodes.push_back(graph->nodes.back());
      } else {
        graph->nodes.push_back(input());
      }
      node.inputs.push_back(static_cast<ValueId>(i));
    }
    for (const AttrDef& def : op.attrs) node.attrs.push_back(attr(def, graph->nodes));
    node.num_outputs = op.num_outputs < 0 ? static_cast<int>(below(4)) : op.num_outputs;
    graph->nodes.push_back(node);
    for (int o = 0; o < node.num_outputs; ++o) graph->outputs.push_back(static_cast<ValueId>(count) + o);
    try {
      return run(*graph);
    } catch (const ValueError&) {
    } catch (const TypeError&) {
    }
    return 0;
  }

 private:
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  size_t below(size_t n) { return static_cast<size_t>((next() >> 20) % n); }

  int64_t integer() {
    static constexpr int64_t kPool[] = {0,
                                        1,
                                        -1,
                                        2,
                                        -2,
                                        3,
                                        4,
                                        5,
                                        7,
                                        -3,
                                        8,
                                        -8,
                                        100,
                                        1 << 20,
                                        INT32_MAX,
                                        INT32_MIN,
                                        int64_t{1} << 40,
                                        -(int64_t{1} << 40),
                                        INT64_MAX,
                                        INT64_MIN,
                                        INT64_MAX - 1};
    // Mostly small: what is large is refused before it gets anywhere.
    return kPool[below(below(3) == 0 ? std::size(kPool) : 8)];
  }

  BatchNode input() {
    static const OpDef& def = op("input");
    BatchNode node;
    node.op = &def;
    BatchLeaf leaf;
    static constexpr DType kCommon[] = {DType::float32, DType::int32,  DType::boolean,
                                        DType::float64, DType::uint32, DType::int64};
    leaf.spec.dtype = below(4) == 0 ? static_cast<DType>(below(kNumDTypes)) : kCommon[below(std::size(kCommon))];
    const size_t rank = below(6) == 0 ? below(9) : below(4);
    for (size_t d = 0; d < rank; ++d)
      leaf.spec.shape.push_back({static_cast<int64_t>(below(8) == 0 ? 0 : 1 + below(4)), 0});
    node.leaf = std::make_shared<BatchLeaf>(leaf);
    return node;
  }

  BatchAttr attr(const AttrDef& def, const std::vector<BatchNode>& inputs) {
    if (!def.required && below(8) == 0) return {};
    switch (def.kind) {
      case AttrKind::boolean:
        return below(2) == 1;
      case AttrKind::integer:
        return Affine{integer(), 0};
      case AttrKind::real:
        return std::vector<double>{0, 1, -1, 1e-3, 1e300, HUGE_VAL, NAN}[below(7)];
      case AttrKind::text:
        return std::vector<std::string>{"add", "set", "mul", "min", "max", "left", "x", ""}[below(8)];
      case AttrKind::dtype:
        return static_cast<DType>(below(kNumDTypes));
      case AttrKind::graph:
        return body(inputs);
      case AttrKind::callback:
        return {};
      case AttrKind::ints:
        break;
    }
    AffineInts list;
    const size_t like = inputs.empty() ? below(4) : inputs[0].leaf->spec.shape.size();
    const size_t size = below(3) == 0 ? below(10) : like;
    // A permutation, a shape like the operand's, or anything.
    const size_t kind = below(4);
    for (size_t i = 0; i < size; ++i) {
      const bool own = !inputs.empty() && i < inputs[0].leaf->spec.shape.size();
      list.push_back(kind == 0          ? Affine{static_cast<int64_t>(size - 1 - i), 0}
                     : kind == 1 && own ? inputs[0].leaf->spec.shape[i]
                                        : Affine{integer(), 0});
    }
    return list;
  }

  // Takes the operands from some on and returns some of them, or a truth.
  std::shared_ptr<const BatchGraph> body(const std::vector<BatchNode>& inputs) {
    auto graph = std::make_shared<BatchGraph>();
    for (size_t i = below(2) * below(inputs.size() + 1); i < inputs.size(); ++i) graph->nodes.push_back(inputs[i]);
    if (below(2) == 0) {
      BatchNode truth;
      truth.op = &op("constant");
      BatchLeaf leaf;
      leaf.array = Array::allocate({DType::boolean, {}});
      write_scalar(leaf.array.data(), DType::boolean, static_cast<double>(below(2)));
      truth.leaf = std::make_shared<BatchLeaf>(leaf);
      graph->nodes.push_back(truth);
    }
    for (size_t i = 0; i < graph->nodes.size(); ++i) {
      if (below(3) > 0) graph->outputs.push_back(static_cast<ValueId>(i));
    }
    return graph;
  }

  int run(const BatchGraph& graph) {
    const auto made = graph.at(1, {}, kLimits);
    std::vector<Array> memory;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (ValueId v : made->inputs) {
      memory.push_back(Array::allocate(made->spec(v)));
      auto* bytes = reinterpret_cast<uint8_t*>(memory.back().data());
      const bool truth = made->spec(v).dtype == DType::boolean;
      for (int64_t i = 0; i < made->spec(v).bytes(); ++i)
        bytes[i] = static_cast<uint8_t>(truth ? next() & 1 : next() >> 30);
      in.push_back(memory.back().data());
    }
    for (ValueId v : made->outputs) {
      memory.push_back(Array::allocate(made->spec(v)));
      out.push_back(memory.back().data());
    }
    const auto plan = make_plan(*simplify(*made, true), std::make_shared<Arena>());
    if (plan->cost() > kMostWork || plan->arena_bytes() > size_t{1} << 26) return 0;
    plan->run(in.data(), out.data());
    return 1;
  }

  uint64_t state_;
};

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 300;
  Tries tries(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  int ops = 0, ran = 0, never = 0;
  for (const OpDef* op : op_table()) {
    if (op->is_leaf || op->compose) continue;
    ++ops;
    int here = 0;
    if (argc > 3) std::fprintf(stderr, "%s\n", op->name);
    for (int i = 0; i < count; ++i) here += tries.once(*op);
    ran += here;
    if (here == 0) {
      ++never;
      std::printf("never accepted: %s\n", op->name);
    }
  }
  std::printf("%d ops, %d runs of %d tries, %d ops never accepted\n", ops, ran, ops * count, never);
  return 0;
}
