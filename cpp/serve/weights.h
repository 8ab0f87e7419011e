// The weights of a served model: sets that never change, replaced as a whole.
//
// A set holds the arrays that predictions read and the packed forms of the matrices among them. All contexts of a
// predictor share the current set, and after a fork all processes share its pages, since nobody writes to it.
// Replacing it is publishing another one: a run holds the set it began with until it has ended.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "graph/batch_graph.h"
#include "kernels/gemm.h"

namespace falconet::serve {

struct WeightSet {
  uint64_t version = 0;
  std::vector<Array> arrays;  // one for each weight
  std::vector<Array> packed;  // one for each form
};

// A matrix of a weight, or of a constant of the graph, as the packed path of products reads it.
struct PackedForm {
  int weight = -1;  // -1: of `constant`
  Array constant;
  int64_t offset = 0;                    // bytes into the array
  PackBArgs matrix;                      // without its pointers
  const GemmKernels* kernels = nullptr;  // whose layout it is
  bool operator==(const PackedForm& other) const;
};

class WeightStore {
 public:
  // `threads`: that packing may use, the caller's included.
  WeightStore(std::vector<std::string> names, std::vector<Array> arrays, int threads);

  const std::vector<std::string>& names() const { return names_; }
  // Of the current set. Reading it orders nothing but the set itself: see current().
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const WeightSet> current() const;

  // The number of a form. One that is new is packed at once and published in a set of the same arrays.
  int form(const PackedForm& form);

  // Publishes new arrays, which from then on nobody may write to. ValueError, naming the weight, where their number, a
  // shape or a dtype is not that of the present ones.
  void update(std::vector<Array> arrays);
  void check(const std::vector<Array>& arrays) const;

  int64_t weight_bytes() const;
  int64_t packed_bytes() const;

 private:
  Array pack(const PackedForm& form, const std::vector<Array>& arrays) const;
  void publish(std::shared_ptr<WeightSet> next);  // with slow_mutex() held

  std::vector<std::string> names_;
  const int threads_;
  std::vector<PackedForm> forms_;             // slow_mutex()
  std::shared_ptr<const WeightSet> current_;  // slow_mutex()
  std::atomic<uint64_t> version_{0};
};

// The variables that a graph reads and does not update, in rising order.
std::vector<int> weights_of(const BatchGraph& graph);

// A copy in memory of its own.
Array copy_of(const Spec& spec, const void* data);

}  // namespace falconet::serve
