// What runs as one: groups joined to the reduction that ends them, and to the product they run behind.
#pragma once

#include <vector>

#include "kernels/kernels.h"
#include "plan/cluster.h"
#include "plan/values.h"

namespace falconet {

// A node or a tile program, with what was fused to it.
struct Item {
  Group group;
  int tail = -1;                   // a reduction node that ends the program
  std::vector<int> epilogue;       // pointwise nodes run on each block of the product `group` makes
  ValueId bias = kNoValue;         // peeled off the epilogue, done in registers
  bool relu = false;
  ValueId gate = kNoValue;
  ValueId destination = kNoValue;  // what the product's memory then is
};

// In an order of execution.
std::vector<Item> make_items(const Graph& graph, const Values& values, const Kernels& kernels);

// By value: whether someone outside the item that makes it reads it, so that it needs memory.
std::vector<bool> find_needed(const Graph& graph, const Values& values, const std::vector<Item>& items);

}  // namespace falconet
