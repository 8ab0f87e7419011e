// Batches of rows, fed to a plan's inputs one after another: what an epoch is made of.
#pragma once

#include <vector>

#include "plan/plan.h"
#include "plan/stages.h"

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
  // Feeds these rows and runs the plan. Where it pays, the rows that follow are gathered beside the plan's last stage,
  // which seldom keeps all threads busy.
  void run(Plan& plan, int64_t from, int64_t count);

 private:
  // Rows copied one by one from where the order says.
  struct RowGather {
    const std::byte* from;
    std::byte* to;
    int64_t row_bytes;
    const int64_t* order;
    int64_t count;
  };
  template <int64_t kBytes, bool kRow>
  static void gather_rows(const void* args, int64_t begin, int64_t end);
  static TaskFn gather_task(int64_t row_bytes);
  // Rows [begin, end) of the order, gathered.
  struct Window {
    int64_t begin = 0, end = 0;
    std::vector<std::shared_ptr<Buffer>> rows;  // by array
    std::vector<RowGather> gathers;             // what fills them
    std::vector<StageChunk> with_last_stage;    // of plan_
  };
  // What fills the window with rows [from, to).
  std::vector<Instruction> gathers_of(Window& window, int64_t from, int64_t to);
  bool gathers_ahead(const Plan& plan) const;

  struct Source {
    const std::byte* data;
    int64_t row_bytes;
  };
  const std::vector<Array>& arrays_;
  const int64_t* order_;
  int64_t total_, batch_size_, span_;  // rows; span_: gathered at a time
  std::vector<Source> sources_;
  Window windows_[2];  // the second for rows gathered ahead
  int current_ = 0;
  const Plan* plan_ = nullptr;  // the last that was run: windows' chunks were made for it
  bool gathers_ahead_ = false;  // with it
};

}  // namespace falconet
