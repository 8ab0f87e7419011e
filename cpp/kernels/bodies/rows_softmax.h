// Softmax, log-softmax, logsumexp, their gradients and cross-entropy, a row at a time (see kernels/rows.h).
#pragma once

#include <math.h>

#include "kernels/bodies/math_f32.h"
#include "kernels/bodies/math_functions.h"
#include "kernels/bodies/rows_sums.h"
#include "kernels/rows.h"

namespace falconet::FALCONET_ISA {
namespace {

// As the micro-operations have them.
FALCONET_INLINE VecF exp(VecF x) { return f32::exp(x); }
FALCONET_INLINE VecD exp(VecD x) { return functions::exp(x); }
template <class T>
FALCONET_INLINE Vec<T> log(Vec<T> x) {
  return functions::log(x);
}
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

// A row that fits in registers: m, exp(x - m) and their sum, which is the tree of exp_sum.
template <class T>
struct ShortRow {
  using V = Vec<T>;
  static constexpr int W = V::width, regs = 2 * Lanes<Sum<T>>::regs;
  static constexpr int64_t max_width = regs * W;
  V e[regs];
  T m, sum;

  FALCONET_INLINE ShortRow(const T* x, int64_t n) {
    V top = V::broadcast(Limits<T>::lowest);
    for (int r = 0; r < regs; ++r) {
      const int64_t left = n - r * W;
      if (left >= W) {
        e[r] = V::load(x + r * W);
      } else if (left > 0) {
        e[r] = load_or<T>(x + r * W, static_cast<int>(left), Limits<T>::lowest);
      }
      if (left > 0) top = max(e[r], top);
    }
    m = reduce_max(top);
    // Lanes beyond the row hold exp(-inf) = 0; where m is infinite they are NaN, as the sum is anyway.
    Lanes<Sum<T>> lanes;
    for (int r = 0; r < regs; ++r) e[r] = r * W < n ? exp(e[r] - V::broadcast(m)) : V::zero();
    for (int r = 0; r < regs / 2; ++r) lanes.a[r] = e[r] + e[r + regs / 2];
    sum = lanes.fold();
  }
};

template <class T>
struct RowStats {
  T m, sum;
};
template <class T>
FALCONET_INLINE RowStats<T> find_stats(const T* x, int64_t n) {
  if (n <= ShortRow<T>::max_width) {
    const ShortRow<T> row(x, n);
    return {row.m, row.sum};
  }
  const T m = row_max(x, n);
  return {m, exp_sum<T>(x, n, m, nullptr)};
}

template <class T>
void softmax(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const SoftmaxArgs& a = *static_cast<const SoftmaxArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* y = static_cast<T*>(a.y) + r * n;
    if (n <= ShortRow<T>::max_width) {
      const ShortRow<T> row(x, n);
      const V inv = V::broadcast(T{1} / row.sum);
      for (int k = 0; k < ShortRow<T>::regs && k * V::width < n; ++k) {
        put(y + k * V::width, n - k * V::width, row.e[k] * inv);
      }
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
    const RowStats<T> s = find_stats(x, n);
    const V shift = V::broadcast(s.m), log_sum = V::broadcast(log_of(s.sum));
    for (int64_t i = 0; i < n; i += V::width) put(y + i, n - i, (take(x + i, n - i) - shift) - log_sum);
  }
}

template <class T>
void logsumexp(const void* args, int64_t begin, int64_t end) {
  const SoftmaxArgs& a = *static_cast<const SoftmaxArgs*>(args);
  const int64_t n = a.width;
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    const RowStats<T> s = find_stats(x, n);
    T* y = static_cast<T*>(a.y) + r;
    if (s.m - s.m == 0) {
      *y = s.m + log_of(s.sum);
    } else {  // m is infinite and inf - inf NaN, while exp alone gives 0 or inf
      *y = log_of(exp_sum<T>(x, n, T{0}, nullptr));
    }
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
    RowSum<T> sum;
    sum.add_map(n, [&](int64_t i, int64_t left) { return take(dy + i, left) * take(y + i, left); });
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

// Forward: m and 1 / sum are kept for the gradient where it asks for them.
template <class T>
FALCONET_INLINE RowStats<T> find_and_save_stats(const CrossEntropyArgs& a, int64_t r, const T* x) {
  const RowStats<T> s = find_stats(x, a.width);
  if (a.stats != nullptr) {
    T* saved = static_cast<T*>(a.stats) + 2 * r;
    saved[0] = s.m;
    saved[1] = T{1} / s.sum;
  }
  return s;
}
template <class T>
struct Scaling {
  T m, inv;
};
template <class T>
FALCONET_INLINE Scaling<T> saved_scaling(const CrossEntropyArgs& a, int64_t r, const T* x) {
  if (a.stats == nullptr) {
    const RowStats<T> s = find_stats(x, a.width);
    return {s.m, T{1} / s.sum};
  }
  const T* saved = static_cast<const T*>(a.stats) + 2 * r;
  return {saved[0], saved[1]};
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
    const Scaling<T> s = saved_scaling(a, r, x);
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
    RowSum<T> sum;
    sum.add_map(n, [&](int64_t i, int64_t left) {
      const V target = take(t + i, left);
      return select(target == V::zero(), V::zero(), target * (log_sum - (take(x + i, left) - m)));
    });
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
    const Scaling<T> s = saved_scaling(a, r, x);
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
