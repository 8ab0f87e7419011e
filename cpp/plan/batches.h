// Batches of rows, fed to a plan's inputs one after another: what an epoch is made of.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace falconet {

// The arrays have equal first sizes and outlive this. Batches are rows order[from .. from + count), gathered into
// memory of their own (several small batches at a time), or without an order consecutive rows, used where they are.
class Batches {
 public:
  Batches(const std::vector<Array>& arrays, const int64_t* order, int64_t total, int64_t batch_size);

  // What a batch of `count` rows is to a plan.
  std::vector<Spec> specs(int64_t count) const;
  // Points the plan's inputs at rows [from, from + count) of the `total` of the order; count is at most batch_size.
  void feed(Plan& plan, int64_t from, int64_t count);

 private:
  void gather();
  struct Source {
    const std::byte* data;
    int64_t row_bytes;
    std::shared_ptr<Buffer> rows;  // [begin_, end_) of the order; null without one
  };
  const std::vector<Array>& arrays_;
  const int64_t* order_;
  int64_t total_, span_;          // rows; rows gathered at a time
  int64_t begin_ = 0, end_ = 0;   // gathered now
  std::vector<Source> sources_;
};

}  // namespace falconet
