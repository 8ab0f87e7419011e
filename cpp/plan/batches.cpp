#include "plan/batches.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "plan/planner.h"

namespace falconet {

namespace {

constexpr int64_t kLine = 64;
// Rows come from afar, one by one: each byte takes several times that of an operand, and each row as much as these.
constexpr int64_t kFarBytes = 4, kLeastBytes = 16;
// Gathered at a time: small batches share the price of a call, and still lie in L1 when used.
constexpr int64_t kSpanBytes = 16 << 10;
// Rows lie anywhere, so each costs a wait for memory unless it was asked for this many bytes ahead.
constexpr int64_t kAheadBytes = 2048;
constexpr int64_t kMostAhead = 32;
// Of a row at most; the hardware sees the rest coming.
constexpr int64_t kLinesAhead = 64;

// Rows gathered ahead take as much memory again.
constexpr int64_t kMostBytesAhead = 4 << 20;

int64_t gather_grain(int64_t row_bytes, int64_t count) {
  return parallel_grain(count, 0, kFarBytes * count * std::max(row_bytes, kLeastBytes), pool::num_threads());
}

}  // namespace

// kBytes: rows are copied by this many bytes at a time, in one or two moves each; 0: any size, copied as a whole.
// kRow: whether that is a whole row.
template <int64_t kBytes, bool kRow>
void Batches::gather_rows(const void* untyped, int64_t begin, int64_t end) {
  const RowGather a = *static_cast<const RowGather*>(untyped);  // a copy, which the stores cannot change
  const int64_t bytes = kRow ? kBytes : a.row_bytes;
  const int64_t ahead = std::clamp<int64_t>(kAheadBytes / bytes, 1, kMostAhead);
  const int64_t lines = std::min(kLinesAhead, (bytes + kLine - 1) / kLine);
  for (int64_t r = begin; r < end; ++r) {
    // Short rows are independent loads, many of which the processor has under way by itself.
    if (!kRow && r + ahead < a.count) {
      const std::byte* next = a.from + a.order[r + ahead] * bytes;
      for (int64_t line = 0; line < lines; ++line) cpu::prefetch(next + line * kLine);
    }
    std::byte* to = a.to + r * bytes;
    const std::byte* from = a.from + a.order[r] * bytes;
    if constexpr (kBytes == 0) {
      std::memcpy(to, from, bytes);
    } else {
      for (int64_t i = 0; i < bytes; i += kBytes) std::memcpy(to + i, from + i, kBytes);
    }
  }
}

TaskFn Batches::gather_task(int64_t row_bytes) {
  constexpr int64_t kInline = 512;  // above, the library's copy is as fast
  switch (row_bytes) {
    case 4:
      return gather_rows<4, true>;
    case 8:
      return gather_rows<8, true>;
    case 16:
      return gather_rows<16, true>;
    default:
      return row_bytes % 16 == 0 && row_bytes <= kInline ? gather_rows<16, false> : gather_rows<0, false>;
  }
}

Batches::Batches(const std::vector<Array>& arrays, const int64_t* order, int64_t total, int64_t batch_size)
    : arrays_(arrays), order_(order), total_(total), batch_size_(batch_size) {
  int64_t all = 0;
  for (const Array& a : arrays) {
    const int64_t rows = a.spec.shape[0], row_bytes = rows == 0 ? 0 : a.spec.bytes() / rows;
    sources_.push_back({a.data(), row_bytes});
    all += row_bytes;
  }
  span_ = std::min(total, batch_size * std::max<int64_t>(1, kSpanBytes / std::max<int64_t>(1, all * batch_size)));
}

std::vector<Spec> Batches::specs(int64_t count) const {
  std::vector<Spec> specs;
  for (const Array& a : arrays_) {
    specs.push_back(a.spec);
    specs.back().shape[0] = count;
  }
  return specs;
}

std::vector<Instruction> Batches::gathers_of(Window& window, int64_t from, int64_t to) {
  if (window.rows.empty()) {
    for (const Source& s : sources_) {
      window.rows.push_back(Buffer::allocate(s.row_bytes * span_));
      window.gathers.push_back({s.data, window.rows.back()->data(), s.row_bytes, nullptr, 0});
    }
  }
  window.begin = from;
  window.end = to;
  const int64_t count = to - from;
  std::vector<Instruction> instructions;
  for (RowGather& g : window.gathers) {
    g.order = order_ + from;
    g.count = count;
    if (g.row_bytes == 0) continue;
    instructions.push_back({gather_task(g.row_bytes), &g, count, gather_grain(g.row_bytes, count)});
  }
  return instructions;
}

void Batches::feed(Plan& plan, int64_t from, int64_t count) {
  if (order_) {
    const auto holds = [&](const Window& w) { return w.begin <= from && from + count <= w.end; };
    if (!holds(windows_[current_]) && holds(windows_[1 - current_])) current_ = 1 - current_;
    if (!holds(windows_[current_])) {
      for (const Instruction& i : gathers_of(windows_[current_], from, std::min(total_, from + span_)))
        run_instruction(i);
    }
  }
  const Window& window = windows_[current_];
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = sources_[i];
    plan.set_input(static_cast<int>(i),
                   order_ ? window.rows[i]->data() + (from - window.begin) * s.row_bytes : s.data + from * s.row_bytes);
  }
}

bool Batches::gathers_ahead(const Plan& plan) const {
  if (!order_ || span_ != batch_size_ || plan.last_stage().empty()) return false;
  int64_t bytes = 0;
  bool is_shared = false;
  for (const Source& s : sources_) {
    bytes += s.row_bytes * batch_size_;
    is_shared |= gather_grain(s.row_bytes, batch_size_) > 0;
  }
  return is_shared && bytes <= kMostBytesAhead;
}

void Batches::run(Plan& plan, int64_t from, int64_t count) {
  feed(plan, from, count);
  if (&plan != plan_) {
    plan_ = &plan;
    gathers_ahead_ = gathers_ahead(plan);
    for (Window& w : windows_) w.with_last_stage.clear();
  }
  const int64_t next = from + count, end = std::min(total_, next + batch_size_);
  if (!gathers_ahead_ || next == end) return plan.execute();
  Window& window = windows_[1 - current_];
  const bool is_known = !window.with_last_stage.empty() && window.end - window.begin == end - next;
  std::vector<Instruction> last_stage = gathers_of(window, next, end);
  if (!is_known) {
    for (const Instruction& i : plan.last_stage()) last_stage.push_back(i);
    window.with_last_stage = stage_chunks(last_stage);
  }
  plan.execute(
      {run_stage_chunks, window.with_last_stage.data(), static_cast<int64_t>(window.with_last_stage.size()), 1});
}

}  // namespace falconet
