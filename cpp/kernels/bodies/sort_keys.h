// Sorting by unsigned keys: the order of T becomes the order of an unsigned integer, NaN the greatest.
//
// Up to kMergeSize entries: insertion sort of short runs, then merging. Beyond: radix sort, a byte at a time from the
// lowest, which moves each entry once a byte whatever the data. Both are stable.
#pragma once

#include <math.h>

#include "kernels/bodies/vec.h"
#include "kernels/sort.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T>
struct KeyOf;
template <>
struct KeyOf<int32_t> {
  using U = uint32_t;
  static constexpr bool is_float = false;
};
template <>
struct KeyOf<int64_t> {
  using U = uint64_t;
  static constexpr bool is_float = false;
};
template <>
struct KeyOf<float> {
  using U = uint32_t;
  static constexpr bool is_float = true;
};
template <>
struct KeyOf<double> {
  using U = uint64_t;
  static constexpr bool is_float = true;
};

template <class T>
using KeyType = typename KeyOf<T>::U;

// Negative numbers have all bits flipped, others the top bit. kMergeZeros: -0 gets the key of +0.
template <class T, bool kMergeZeros>
FALCONET_INLINE KeyType<T> key_of(T value, bool descending) {
  using U = KeyType<T>;
  constexpr U kTop = U{1} << (sizeof(U) * 8 - 1);
  U u;
  memcpy(&u, &value, sizeof(u));
  if constexpr (KeyOf<T>::is_float) {
    if (value != value) return static_cast<U>(~U{0});
    if (kMergeZeros && value == 0) u = 0;
    u = u & kTop ? static_cast<U>(~u) : static_cast<U>(u | kTop);
  } else {
    u ^= kTop;
  }
  return descending ? static_cast<U>(~u) : u;
}

template <class T>
FALCONET_INLINE T value_of(KeyType<T> u, bool descending) {
  using U = KeyType<T>;
  constexpr U kTop = U{1} << (sizeof(U) * 8 - 1);
  if constexpr (KeyOf<T>::is_float) {
    if (u == static_cast<U>(~U{0})) return static_cast<T>(NAN);
    if (descending) u = static_cast<U>(~u);
    u = u & kTop ? static_cast<U>(u ^ kTop) : static_cast<U>(~u);
  } else {
    if (descending) u = static_cast<U>(~u);
    u ^= kTop;
  }
  T value;
  memcpy(&value, &u, sizeof(u));
  return value;
}

template <class U>
struct KeyEntry {
  static constexpr int digits = sizeof(U);
  U key;
  FALCONET_INLINE unsigned digit(int d) const { return static_cast<unsigned>(key >> (8 * d)) & 255; }
  FALCONET_INLINE bool before(const KeyEntry& o) const { return key < o.key; }
};

// A key with the place it came from. Entries are made in order of index, so stable means the lower index first.
template <class U>
struct Entry;
template <>
struct Entry<uint32_t> {
  static constexpr int digits = 4;
  uint64_t both;
  static FALCONET_INLINE Entry make(uint32_t key, int64_t index) {
    return {uint64_t{key} << 32 | static_cast<uint64_t>(index)};
  }
  FALCONET_INLINE uint32_t key() const { return static_cast<uint32_t>(both >> 32); }
  FALCONET_INLINE int64_t index() const { return static_cast<int64_t>(both & 0xFFFFFFFFu); }
  FALCONET_INLINE unsigned digit(int d) const { return static_cast<unsigned>(both >> (32 + 8 * d)) & 255; }
  FALCONET_INLINE bool before(const Entry& o) const { return both < o.both; }
};
template <>
struct Entry<uint64_t> {
  static constexpr int digits = 8;
  uint64_t first, second;
  static FALCONET_INLINE Entry make(uint64_t key, int64_t index) { return {key, static_cast<uint64_t>(index)}; }
  FALCONET_INLINE uint64_t key() const { return first; }
  FALCONET_INLINE int64_t index() const { return static_cast<int64_t>(second); }
  FALCONET_INLINE unsigned digit(int d) const { return static_cast<unsigned>(first >> (8 * d)) & 255; }
  FALCONET_INLINE bool before(const Entry& o) const { return first < o.first; }
};

template <class E>
FALCONET_INLINE void insertion_sort(E* a, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const E e = a[i];
    int64_t j = i;
    for (; j > 0 && e.before(a[j - 1]); --j) a[j] = a[j - 1];
    a[j] = e;
  }
}

template <class E>
E* merge_sort(E* a, E* b, int64_t n) {
  constexpr int64_t kRun = 16;
  for (int64_t i = 0; i < n; i += kRun) insertion_sort(a + i, n - i < kRun ? n - i : kRun);
  for (int64_t run = kRun; run < n; run *= 2) {
    for (int64_t i = 0; i < n; i += 2 * run) {
      const int64_t middle = i + run < n ? i + run : n, end = i + 2 * run < n ? i + 2 * run : n;
      int64_t p = i, q = middle, to = i;
      while (p < middle && q < end) {
        const bool right = a[q].before(a[p]);
        b[to++] = right ? a[q] : a[p];
        q += right;
        p += !right;
      }
      while (p < middle) b[to++] = a[p++];
      while (q < end) b[to++] = a[q++];
    }
    E* other = a;
    a = b;
    b = other;
  }
  return a;
}

template <class E>
E* radix_sort(E* a, E* b, int64_t n) {
  uint32_t count[E::digits][256];
  memset(count, 0, sizeof(count));
  for (int64_t i = 0; i < n; ++i) {
    for (int d = 0; d < E::digits; ++d) ++count[d][a[i].digit(d)];
  }
  for (int d = 0; d < E::digits; ++d) {
    uint32_t* c = count[d];
    if (c[a[0].digit(d)] == static_cast<uint32_t>(n)) continue;  // every entry has this digit
    uint32_t sum = 0;
    for (int v = 0; v < 256; ++v) {
      const uint32_t here = c[v];
      c[v] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i) b[c[a[i].digit(d)]++] = a[i];
    E* other = a;
    a = b;
    b = other;
  }
  return a;
}

// Sorts a[0, n) with the help of b[0, n); the result is where the returned pointer points, a or b.
template <class E>
FALCONET_INLINE E* sort_entries(E* a, E* b, int64_t n) {
  constexpr int64_t kMergeSize = 64 * E::digits;  // below, the counts of a radix sort cost more than they save
  return n <= kMergeSize ? merge_sort(a, b, n) : radix_sort(a, b, n);
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
