// Softmax, log-softmax, logsumexp, their gradients and cross-entropy, a row at a time (see kernels/rows.h).
#pragma once

#include "kernels/bodies/math_f32.h"
#include "kernels/bodies/math_f64.h"
#include "kernels/bodies/rows_sums.h"
#include "kernels/rows.h"

namespace falconet::FALCONET_ISA {
namespace {

FALCONET_INLINE VecF exp(VecF x) { return f32::exp(x); }
FALCONET_INLINE VecD exp(VecD x) { return f64::exp(x); }
FALCONET_INLINE VecF log(VecF x) { return f32::log(x); }
FALCONET_INLINE VecD log(VecD x) { return f64::log(x); }

template <class T>
FALCONET_INLINE T exp_of(T x) {
  T lanes[Vec<T>::width];
  exp(Vec<T>::broadcast(x)).store(lanes);
  return lanes[0];
}
template <class T>
FALCONET_INLINE T log_of(T x) {
  T lanes[Vec<T>::width];
  log(Vec<T>::broadcast(x)).store(lanes);
  return lanes[0];
}

// e[i] = exp(x[i] - m).
template <class T>
FALCONET_INLINE void exp_tile(const T* x, int64_t n, T m, T* e) {
  using V = Vec<T>;
  const V shift = V::broadcast(m);
  int64_t i = 0;
  for (; i + V::width <= n; i += V::width) exp(V::load(x + i) - shift).store(e + i);
  if (i < n) {
    const int left = static_cast<int>(n - i);
    exp(V::load_partial(x + i, left) - shift).store_partial(e + i, left);
  }
}

// sum exp(x - m); the terms are kept in e unless it is null.
template <class T>
FALCONET_INLINE T exp_sum(const T* x, int64_t n, T m, T* e) {
  T tile[kRowTile];
  RowSum<T> sum;
  for (int64_t at = 0; at < n; at += kRowTile) {
    const int64_t size = n - at < kRowTile ? n - at : kRowTile;
    T* to = e != nullptr ? e + at : tile;
    exp_tile(x + at, size, m, to);
    sum.add(to, size);
  }
  return sum.total();
}

// Rows that fit the lanes of a block: everything stays in registers. The sum is the same tree, its other terms 0.
template <class T>
FALCONET_INLINE void softmax_short(const T* x, int64_t n, T* y) {
  using V = Vec<T>;
  using Sums = Lanes<Sum<T>>;
  constexpr int W = V::width;
  Sums lanes;
  V top = V::broadcast(Limits<T>::lowest);
  for (int r = 0; r * W < n && r < Sums::regs; ++r) {
    const int64_t left = n - r * W;
    lanes.a[r] = left >= W ? V::load(x + r * W) : load_or<T>(x + r * W, static_cast<int>(left), Limits<T>::lowest);
    top = max(lanes.a[r], top);
  }
  const T m = reduce_max(top);
  for (int r = 0; r < Sums::regs; ++r) {
    const int64_t left = n - r * W;
    if (left <= 0) {
      lanes.a[r] = V::zero();
    } else {
      lanes.a[r] = exp(lanes.a[r] - V::broadcast(m));
      // Where the row is all -inf or NaN, the lanes beyond it are NaN as well, which changes nothing.
    }
  }
  const V inv = V::broadcast(T{1} / lanes.fold());
  for (int r = 0; r * W < n && r < Sums::regs; ++r) put(y + r * W, n - r * W, lanes.a[r] * inv);
}

template <class T>
void softmax(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const SoftmaxArgs& a = *static_cast<const SoftmaxArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* y = static_cast<T*>(a.y) + r * n;
    if (n <= Lanes<Sum<T>>::count) {
      softmax_short(x, n, y);
      continue;
    }
    const V inv = V::broadcast(T{1} / exp_sum(x, n, row_max(x, n), y));
    for (int64_t i = 0; i < n; i += V::width) put(y + i, n - i, take(y + i, n - i) * inv);
  }
}

template <class T>
void log_softmax(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const SoftmaxArgs& a = *static_cast<const SoftmaxArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* y = static_cast<T*>(a.y) + r * n;
    const T m = row_max(x, n);
    const V shift = V::broadcast(m), log_sum = V::broadcast(log_of(exp_sum<T>(x, n, m, nullptr)));
    for (int64_t i = 0; i < n; i += V::width) put(y + i, n - i, (take(x + i, n - i) - shift) - log_sum);
  }
}

template <class T>
void logsumexp(const void* args, int64_t begin, int64_t end) {
  const SoftmaxArgs& a = *static_cast<const SoftmaxArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T m = row_max(x, n);
    if (m - m != 0) m = 0;  // infinite: inf - inf would be NaN, while exp alone gives 0 or inf
    static_cast<T*>(a.y)[r] = m + log_of(exp_sum<T>(x, n, m, nullptr));
  }
}

template <class T>
void softmax_grad(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const SoftmaxGradArgs& a = *static_cast<const SoftmaxGradArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* y = static_cast<const T*>(a.y) + r * n;
    const T* dy = static_cast<const T*>(a.dy) + r * n;
    T* dx = static_cast<T*>(a.dx) + r * n;
    T tile[kRowTile];
    RowSum<T> sum;
    for (int64_t at = 0; at < n; at += kRowTile) {
      const int64_t size = n - at < kRowTile ? n - at : kRowTile;
      for (int64_t i = 0; i < size; i += V::width) {
        put(tile + i, size - i, take(dy + at + i, size - i) * take(y + at + i, size - i));
      }
      sum.add(tile, size);
    }
    const V total = V::broadcast(sum.total());
    for (int64_t i = 0; i < n; i += V::width) {
      put(dx + i, n - i, take(y + i, n - i) * (take(dy + i, n - i) - total));
    }
  }
}

template <class T>
void log_softmax_grad(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const SoftmaxGradArgs& a = *static_cast<const SoftmaxGradArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* y = static_cast<const T*>(a.y) + r * n;
    const T* dy = static_cast<const T*>(a.dy) + r * n;
    T* dx = static_cast<T*>(a.dx) + r * n;
    const V total = V::broadcast(reduce_span<Sum<T>>(dy, n));
    for (int64_t i = 0; i < n; i += V::width) {
      put(dx + i, n - i, take(dy + i, n - i) - exp(take(y + i, n - i)) * total);
    }
  }
}

template <class T>
struct RowStats {
  T m, sum, inv;
};
template <class T>
FALCONET_INLINE RowStats<T> find_stats(const T* x, int64_t n) {
  const T m = row_max(x, n), sum = exp_sum<T>(x, n, m, nullptr);
  return {m, sum, T{1} / sum};
}
// Forward: keeps m and inv for the gradient where it asks for them.
template <class T>
FALCONET_INLINE RowStats<T> find_and_save_stats(const CrossEntropyArgs& a, int64_t r, const T* x) {
  const RowStats<T> s = find_stats(x, a.width);
  if (a.stats != nullptr) {
    T* saved = static_cast<T*>(a.stats) + 2 * r;
    saved[0] = s.m;
    saved[1] = s.inv;
  }
  return s;
}
// Backward: only m and inv are needed.
template <class T>
FALCONET_INLINE RowStats<T> saved_stats(const CrossEntropyArgs& a, int64_t r, const T* x) {
  if (a.stats == nullptr) return find_stats(x, a.width);
  const T* saved = static_cast<const T*>(a.stats) + 2 * r;
  return {saved[0], T{0}, saved[1]};
}

FALCONET_INLINE int64_t label_of(const CrossEntropyArgs& a, int64_t r) {
  return a.labels64 ? static_cast<const int64_t*>(a.labels)[r] : static_cast<const int32_t*>(a.labels)[r];
}

template <class T>
void label_loss(const void* args, int64_t begin, int64_t end) {
  const CrossEntropyArgs& a = *static_cast<const CrossEntropyArgs*>(args);
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * a.width;
    const RowStats<T> s = find_and_save_stats(a, r, x);
    const int64_t label = label_of(a, r);
    T loss = static_cast<T>(NAN);
    if (a.has_ignore && label == a.ignore_class) {
      loss = 0;
    } else if (label >= 0 && label < a.width) {
      loss = log_of(s.sum) - (x[label] - s.m);
    }
    static_cast<T*>(a.loss)[r] = loss;
  }
}

template <class T>
void label_loss_grad(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const CrossEntropyArgs& a = *static_cast<const CrossEntropyArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* dx = static_cast<T*>(a.dx) + r * n;
    const T scale = static_cast<const T*>(a.scale)[r * a.scale_step];
    const int64_t label = label_of(a, r);
    const bool ignored = a.has_ignore && label == a.ignore_class;
    if (ignored || label < 0 || label >= n) {
      const V v = V::broadcast(ignored ? T{0} : static_cast<T>(NAN));
      for (int64_t i = 0; i < n; i += V::width) put(dx + i, n - i, v);
      continue;
    }
    const RowStats<T> s = saved_stats(a, r, x);
    const T at_label = exp_of(x[label] - s.m) * s.inv;
    const V m = V::broadcast(s.m), inv = V::broadcast(s.inv), k = V::broadcast(scale);
    for (int64_t i = 0; i < n; i += V::width) put(dx + i, n - i, exp(take(x + i, n - i) - m) * inv * k);
    dx[label] = (at_label - 1) * scale;
  }
}

template <class T>
void dense_loss(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const CrossEntropyArgs& a = *static_cast<const CrossEntropyArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    const T* t = static_cast<const T*>(a.targets) + r * n;
    const RowStats<T> s = find_and_save_stats(a, r, x);
    const V m = V::broadcast(s.m), log_sum = V::broadcast(log_of(s.sum));
    T tile[kRowTile];
    RowSum<T> sum;
    for (int64_t at = 0; at < n; at += kRowTile) {
      const int64_t size = n - at < kRowTile ? n - at : kRowTile;
      for (int64_t i = 0; i < size; i += V::width) {
        const V target = take(t + at + i, size - i);
        const V term = target * (log_sum - (take(x + at + i, size - i) - m));
        put(tile + i, size - i, select(target == V::zero(), V::zero(), term));
      }
      sum.add(tile, size);
    }
    static_cast<T*>(a.loss)[r] = sum.total();
  }
}

template <class T>
void dense_loss_grad(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const CrossEntropyArgs& a = *static_cast<const CrossEntropyArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    const T* t = static_cast<const T*>(a.targets) + r * n;
    T* dx = static_cast<T*>(a.dx) + r * n;
    const RowStats<T> s = saved_stats(a, r, x);
    const V m = V::broadcast(s.m), inv = V::broadcast(s.inv);
    const V total = V::broadcast(reduce_span<Sum<T>>(t, n));
    const V k = V::broadcast(static_cast<const T*>(a.scale)[r * a.scale_step]);
    for (int64_t i = 0; i < n; i += V::width) {
      const V p = exp(take(x + i, n - i) - m) * inv;
      put(dx + i, n - i, (p * total - take(t + i, n - i)) * k);
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
