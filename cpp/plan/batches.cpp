#include "plan/batches.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "plan/planner.h"

namespace falconet {

namespace {

struct RowGather {
  const std::byte* from;
  std::byte* to;
  int64_t row_bytes;
  const int64_t* order;
};

constexpr int64_t kLine = 64;
constexpr int64_t kFarBytes = 4;
// Gathered at a time: small batches share the price of a call, and still lie in L1 when used.
constexpr int64_t kSpanBytes = 16 << 10;
// Rows lie anywhere, so each costs a wait for memory unless it was asked for this many bytes ahead.
constexpr int64_t kAheadBytes = 2048;
constexpr int64_t kMostAhead = 32;
// Of a row at most; the hardware sees the rest coming.
constexpr int64_t kLinesAhead = 64;

// kBytes: the size of a row, so that copying it compiles to one or two moves; 0: args.row_bytes.
template <int64_t kBytes>
void gather_rows(const void* untyped, int64_t begin, int64_t end) {
  const RowGather a = *static_cast<const RowGather*>(untyped);  // a copy, which the stores cannot change
  const int64_t bytes = kBytes != 0 ? kBytes : a.row_bytes;
  const int64_t ahead = std::clamp<int64_t>(kAheadBytes / bytes, 1, kMostAhead);
  const int64_t lines = std::min(kLinesAhead, (bytes + kLine - 1) / kLine);
  for (int64_t r = begin; r < end; ++r) {
    // Short rows are independent loads, many of which the processor has under way by itself.
    if (kBytes == 0 && r + ahead < end) {
      const std::byte* next = a.from + a.order[r + ahead] * bytes;
      for (int64_t line = 0; line < lines; ++line) cpu::prefetch(next + line * kLine);
    }
    std::memcpy(a.to + r * bytes, a.from + a.order[r] * bytes, bytes);
  }
}

TaskFn gather_task(int64_t row_bytes) {
  switch (row_bytes) {
    case 4: return gather_rows<4>;
    case 8: return gather_rows<8>;
    case 16: return gather_rows<16>;
    default: return gather_rows<0>;
  }
}

}  // namespace

Batches::Batches(const std::vector<Array>& arrays, const int64_t* order, int64_t total, int64_t batch_size)
    : arrays_(arrays), order_(order), total_(total) {
  int64_t all = 0;
  for (const Array& a : arrays) {
    const int64_t rows = a.spec.shape[0], row_bytes = rows == 0 ? 0 : a.spec.bytes() / rows;
    sources_.push_back({a.data(), row_bytes, nullptr});
    all += row_bytes;
  }
  span_ = std::min(total, batch_size * std::max<int64_t>(1, kSpanBytes / std::max<int64_t>(1, all * batch_size)));
  for (Source& s : sources_) {
    if (order) s.rows = Buffer::allocate(s.row_bytes * span_);
  }
}

std::vector<Spec> Batches::specs(int64_t count) const {
  std::vector<Spec> specs;
  for (const Array& a : arrays_) {
    specs.push_back(a.spec);
    specs.back().shape[0] = count;
  }
  return specs;
}

void Batches::gather() {
  const int64_t count = end_ - begin_, threads = pool::num_threads();
  for (const Source& s : sources_) {
    if (s.row_bytes == 0) continue;
    const RowGather args{s.data, s.rows->data(), s.row_bytes, order_ + begin_};
    const TaskFn task = gather_task(s.row_bytes);
    // Rows come from afar, one by one: each byte takes several times that of an operand.
    const int64_t grain = parallel_grain(count, 0, kFarBytes * count * std::max(s.row_bytes, kLine), threads);
    grain == 0 ? task(&args, 0, count) : pool::parallel_for(task, &args, count, grain);
  }
}

void Batches::feed(Plan& plan, int64_t from, int64_t count) {
  if (order_ && (from < begin_ || from + count > end_)) {
    begin_ = from;
    end_ = std::min(total_, from + span_);
    gather();
  }
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = sources_[i];
    plan.set_input(static_cast<int>(i), order_ ? s.rows->data() + (from - begin_) * s.row_bytes : s.data + from * s.row_bytes);
  }
}

}  // namespace falconet
