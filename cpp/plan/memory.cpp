#include "plan/memory.h"

#include <algorithm>
#include <numeric>

#include "base/buffer.h"

namespace falconet {

int64_t assign_offsets(std::vector<Lifetime>& lifetimes) {
  // Largest first: each goes to the tightest gap left by those placed before that are alive at the same time.
  std::vector<int> order(lifetimes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  const int64_t line = kAlignment;
  int64_t total = 0;
  std::vector<int> placed;
  std::vector<std::pair<int64_t, int64_t>> busy;
  for (int i : order) {
    Lifetime& l = lifetimes[i];
    const int64_t need = (l.bytes + line - 1) / line * line;
    busy.clear();
    for (int j : placed) {
      const Lifetime& o = lifetimes[j];
      if (o.first <= l.last && l.first <= o.last) busy.push_back({o.offset, o.offset + (o.bytes + line - 1) / line * line});
    }
    std::sort(busy.begin(), busy.end());
    int64_t best = -1, best_gap = INT64_MAX, end = 0;
    for (const auto& [from, to] : busy) {
      if (from - end >= need && from - end < best_gap) {
        best = end;
        best_gap = from - end;
      }
      end = std::max(end, to);
    }
    l.offset = best >= 0 ? best : end;
    total = std::max(total, l.offset + need);
    placed.push_back(i);
  }
  return total;
}

}  // namespace falconet
