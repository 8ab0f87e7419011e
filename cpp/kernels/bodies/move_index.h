// Gathers and scatters by index (see kernels/move.h for the treatment of indices out of range).
#pragma once

#include "kernels/bodies/reduce_ops.h"
#include "kernels/move.h"

namespace falconet::FALCONET_ISA {
namespace {

// Units on other threads may store the same 1 at the same time.
FALCONET_INLINE void raise(int32_t* error) {
#if defined(_MSC_VER)
  *static_cast<volatile int32_t*>(error) = 1;
#else
  __atomic_store_n(error, 1, __ATOMIC_RELAXED);
#endif
}

struct Indices {
  const void* p;
  bool wide;
  FALCONET_INLINE int64_t operator[](int64_t i) const {
    return wide ? static_cast<const int64_t*>(p)[i] : static_cast<const int32_t*>(p)[i];
  }
};

FALCONET_INLINE bool aligned_to(const void* p, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// The index in [0, n), or -1.
FALCONET_INLINE int64_t wrapped(int64_t index, int64_t n) {
  if (index < 0) index += n;
  return index >= 0 && index < n ? index : -1;
}

template <class T>
FALCONET_INLINE void gather_elements(const GatherArgs& a, const Indices& index, int64_t begin, int64_t end) {
  int64_t o = begin / a.m, j = begin % a.m;
  const T* x = static_cast<const T*>(a.x) + o * a.n;
  T* y = static_cast<T*>(a.y);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t i = wrapped(index[j], a.n);
    if (i < 0) raise(a.error);
    y[unit] = i < 0 ? T{0} : x[i];
    if (++j == a.m) {
      j = 0;
      x += a.n;
    }
  }
}

void gather(const void* args, int64_t begin, int64_t end) {
  const GatherArgs& a = *static_cast<const GatherArgs*>(args);
  const Indices index{a.index, a.index64};
  if (a.run_bytes == 4 && aligned_to(a.x, 4) && aligned_to(a.y, 4)) {
    return gather_elements<uint32_t>(a, index, begin, end);
  }
  if (a.run_bytes == 8 && aligned_to(a.x, 8) && aligned_to(a.y, 8)) {
    return gather_elements<uint64_t>(a, index, begin, end);
  }
  const size_t bytes = static_cast<size_t>(a.run_bytes);
  int64_t j = begin % a.m;
  const char* x = static_cast<const char*>(a.x) + begin / a.m * a.n * a.run_bytes;
  char* y = static_cast<char*>(a.y) + begin * a.run_bytes;
  for (int64_t unit = begin; unit < end; ++unit, y += a.run_bytes) {
    const int64_t i = wrapped(index[j], a.n);
    if (i < 0) {
      raise(a.error);
      memset(y, 0, bytes);
    } else {
      memcpy(y, x + i * a.run_bytes, bytes);
    }
    if (++j == a.m) {
      j = 0;
      x += a.n * a.run_bytes;
    }
  }
}

// Calls row(destination element, source element) for every update of [begin, end), in order of j.
template <class T, class Row>
FALCONET_INLINE void for_updates(const ScatterArgs& a, int64_t begin, int64_t end, const Row& row) {
  const Indices index{a.index, a.index64};
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t o = unit / a.parts, part = unit % a.parts;
    const int64_t low = a.n * part / a.parts, high = a.n * (part + 1) / a.parts;
    T* y = static_cast<T*>(a.y) + o * a.n * a.inner;
    const T* x = static_cast<const T*>(a.x) + o * a.m * a.inner;
    if (a.clear) memset(y + low * a.inner, 0, static_cast<size_t>((high - low) * a.inner) * sizeof(T));
    for (int64_t j = 0; j < a.m; ++j) {
      const int64_t i = wrapped(index[j], a.n);
      if (i < 0) raise(a.error);
      if (i >= low && i < high) row(y + i * a.inner, x + j * a.inner);
    }
  }
}

template <class Op>
void scatter(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  using V = typename Op::V;
  const ScatterArgs& a = *static_cast<const ScatterArgs*>(args);
  for_updates<T>(a, begin, end, [&a](T* y, const T* x) {
    int64_t i = 0;
    for (; i + V::width <= a.inner; i += V::width) Op::apply(V::load(y + i), V::load(x + i)).store(y + i);
    for (; i < a.inner; ++i) y[i] = Op::apply(y[i], x[i]);
  });
}

template <class T>
void scatter_set(const void* args, int64_t begin, int64_t end) {
  const ScatterArgs& a = *static_cast<const ScatterArgs*>(args);
  for_updates<T>(a, begin, end, [&a](T* y, const T* x) { memcpy(y, x, static_cast<size_t>(a.inner) * sizeof(T)); });
}

template <class T>
void take_along(const void* args, int64_t begin, int64_t end) {
  const AlongArgs& a = *static_cast<const AlongArgs*>(args);
  const Indices index{a.index, a.index64};
  const T* x = static_cast<const T*>(a.x) + begin / a.m * a.n * a.inner;
  T* y = static_cast<T*>(a.y);
  int64_t j = begin % a.m;
  for (int64_t at = begin * a.inner; at < end * a.inner; at += a.inner) {
    for (int64_t k = 0; k < a.inner; ++k) {
      const int64_t i = wrapped(index[at + k], a.n);
      if (i < 0) raise(a.error);
      y[at + k] = i < 0 ? T{0} : x[i * a.inner + k];
    }
    if (++j == a.m) {
      j = 0;
      x += a.n * a.inner;
    }
  }
}

template <class T, bool kAdd>
void put_along(const void* args, int64_t begin, int64_t end) {
  const AlongArgs& a = *static_cast<const AlongArgs*>(args);
  const Indices index{a.index, a.index64};
  for (int64_t o = begin; o < end; ++o) {
    T* y = static_cast<T*>(a.y) + o * a.n * a.inner;
    const int64_t from = o * a.m * a.inner;
    const T* x = static_cast<const T*>(a.x) + from;
    if (a.clear) memset(y, 0, static_cast<size_t>(a.n * a.inner) * sizeof(T));
    for (int64_t j = 0; j < a.m; ++j) {
      for (int64_t k = 0; k < a.inner; ++k) {
        const int64_t i = wrapped(index[from + j * a.inner + k], a.n);
        if (i < 0) {
          raise(a.error);
          continue;
        }
        T& to = y[i * a.inner + k];
        if constexpr (kAdd) {
          to = wrap_add(to, x[j * a.inner + k]);
        } else {
          to = x[j * a.inner + k];
        }
      }
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
