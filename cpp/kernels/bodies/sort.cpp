// Sorting, top k, binary search and distinct elements: the table of kernels/sort.h.
#include "kernels/sort.h"

#include "kernels/bodies/sort_keys.h"
#include "kernels/bodies/sort_lanes.h"

namespace falconet::FALCONET_ISA {
namespace {

FALCONET_INLINE int64_t round_up_64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

FALCONET_INLINE void put_index(void* y, bool wide, int64_t at, int64_t value) {
  if (wide) {
    static_cast<int64_t*>(y)[at] = value;
  } else {
    static_cast<int32_t*>(y)[at] = static_cast<int32_t>(value);
  }
}

// The entries of x in order; they lie in `scratch`, of 2 * n entries.
template <class T>
FALCONET_INLINE const Entry<KeyType<T>>* sorted_entries(const T* x, int64_t n, bool descending, void* scratch) {
  using E = Entry<KeyType<T>>;
  E* a = static_cast<E*>(scratch);
  for (int64_t i = 0; i < n; ++i) a[i] = E::make(key_of<T, true>(x[i], descending), i);
  return sort_entries(a, a + n, n);
}

template <class T>
void sort(const void* args, int64_t begin, int64_t end) {
  const SortArgs& a = *static_cast<const SortArgs*>(args);
  const int64_t n = a.n, entry = static_cast<int64_t>(sizeof(T)) * (a.index == nullptr ? 1 : 2);
  const int64_t scratch_bytes = round_up_64(2 * n * entry);
  constexpr int64_t kLaneSortSize = 256;  // its work grows a little faster than that of merging
  constexpr int kRows = Vec<T>::width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* y = a.y == nullptr ? nullptr : static_cast<T*>(a.y) + r * n;
    void* scratch = static_cast<char*>(a.scratch) + r * scratch_bytes;
    if (a.index == nullptr && n <= kLaneSortSize && r + kRows <= end) {
      sort_lanes(x, y, n, a.descending, scratch);
      r += kRows - 1;
      continue;
    }
    if (a.index == nullptr) {
      using E = KeyEntry<KeyType<T>>;
      E* keys = static_cast<E*>(scratch);
      for (int64_t i = 0; i < n; ++i) keys[i] = {key_of<T, false>(x[i], a.descending)};
      const E* sorted = sort_entries(keys, keys + n, n);
      for (int64_t i = 0; i < n; ++i) y[i] = value_of<T>(sorted[i].key, a.descending);
      continue;
    }
    const auto* sorted = sorted_entries(x, n, a.descending, scratch);
    for (int64_t i = 0; i < n; ++i) put_index(a.index, a.index64, r * n + i, sorted[i].index());
    if (y == nullptr) continue;
    for (int64_t i = 0; i < n; ++i) y[i] = x[sorted[i].index()];
  }
}

// Keeps the best k in order and looks closer only at elements that are not behind the last of them.
template <class T>
FALCONET_INLINE const Entry<KeyType<T>>* best_entries(const T* x, int64_t n, int64_t k, void* scratch) {
  using E = Entry<KeyType<T>>;
  using V = Vec<T>;
  E* best = static_cast<E*>(scratch);
  for (int64_t i = 0; i < k; ++i) best[i] = E::make(key_of<T, true>(x[i], true), i);
  insertion_sort(best, k);
  V last = V::broadcast(value_of<T>(best[k - 1].key(), true));
  int64_t i = k;
  while (i < n) {
    if (i + V::width <= n && all(V::load(x + i) <= last)) {
      i += V::width;
      continue;
    }
    const int64_t stop = i + V::width < n ? i + V::width : n;
    for (; i < stop; ++i) {
      const E e = E::make(key_of<T, true>(x[i], true), i);
      if (!e.before(best[k - 1])) continue;
      int64_t j = k - 1;
      for (; j > 0 && e.before(best[j - 1]); --j) best[j] = best[j - 1];
      best[j] = e;
      last = V::broadcast(value_of<T>(best[k - 1].key(), true));
    }
  }
  return best;
}

template <class T>
void top_k(const void* args, int64_t begin, int64_t end) {
  const TopKArgs& a = *static_cast<const TopKArgs*>(args);
  constexpr int64_t kInsertionK = 64;  // an insertion moves k / 2 entries; beyond, sorting everything is not slower
  const int64_t scratch_bytes = round_up_64(4 * a.n * static_cast<int64_t>(sizeof(T)));
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * a.n;
    void* scratch = static_cast<char*>(a.scratch) + r * scratch_bytes;
    const auto* best = a.k <= kInsertionK ? best_entries(x, a.n, a.k, scratch) : sorted_entries(x, a.n, true, scratch);
    for (int64_t j = 0; j < a.k; ++j) {
      const int64_t i = best[j].index();
      if (a.y != nullptr) static_cast<T*>(a.y)[r * a.k + j] = x[i];
      if (a.index != nullptr) a.index[r * a.k + j] = static_cast<int32_t>(i);
    }
  }
}

template <class T>
FALCONET_INLINE bool less_than(T a, T b) {
  return a < b || (b != b && a == a);
}

template <class T>
void search_sorted(const void* args, int64_t begin, int64_t end) {
  const SearchSortedArgs& a = *static_cast<const SearchSortedArgs*>(args);
  const T* sorted = static_cast<const T*>(a.sorted);
  for (int64_t u = begin; u < end; ++u) {
    const T v = static_cast<const T*>(a.v)[u];
    // Invariant: everything before `low` is below v (right: not above), everything from low + length on is not.
    int64_t low = 0, length = a.n;
    while (length > 0) {
      const int64_t half = length / 2;
      const T s = sorted[low + half];
      const bool below = a.right ? !less_than(v, s) : less_than(s, v);
      low = below ? low + half + 1 : low;
      length = below ? length - half - 1 : half;
    }
    put_index(a.y, a.index64, u, low);
  }
}

template <class T>
void unique(const void* args, int64_t begin, int64_t end) {
  if (begin == end) return;
  const UniqueArgs& a = *static_cast<const UniqueArgs*>(args);
  const T* x = static_cast<const T*>(a.x);
  const auto* sorted = sorted_entries(x, a.n, false, a.scratch);
  T* values = static_cast<T*>(a.values);
  int64_t found = 0;
  for (int64_t i = 0; i < a.n;) {
    int64_t next = i;
    for (; next < a.n && sorted[next].key() == sorted[i].key(); ++next) {
      if (a.inverse != nullptr) put_index(a.inverse, a.index64, sorted[next].index(), found);
    }
    if (found < a.size) {
      if (values != nullptr) values[found] = x[sorted[i].index()];
      if (a.first != nullptr) put_index(a.first, a.index64, found, sorted[i].index());
      if (a.counts != nullptr) put_index(a.counts, a.index64, found, next - i);
    }
    ++found;
    i = next;
  }
  const T fill = a.fill != nullptr ? *static_cast<const T*>(a.fill) : x[sorted[0].index()];
  for (int64_t j = found; j < a.size; ++j) {
    if (values != nullptr) values[j] = fill;
    if (a.first != nullptr) put_index(a.first, a.index64, j, 0);
    if (a.counts != nullptr) put_index(a.counts, a.index64, j, 0);
  }
  if (a.found != nullptr) *a.found = found;
}

}  // namespace

// Lanes: f32, f64, i32, i64; none for u64 and masks.
extern const SortKernels sort_kernels;
const SortKernels sort_kernels = {
    {sort<float>, sort<double>, sort<int32_t>, sort<int64_t>, nullptr, nullptr},
    {top_k<float>, top_k<double>, top_k<int32_t>, top_k<int64_t>, nullptr, nullptr},
    {search_sorted<float>, search_sorted<double>, search_sorted<int32_t>, search_sorted<int64_t>, nullptr, nullptr},
    {unique<float>, unique<double>, unique<int32_t>, unique<int64_t>, nullptr, nullptr},
};

}  // namespace falconet::FALCONET_ISA
