// Moving data: the table of kernels/move.h, and its small kernels.
#include "kernels/move.h"

#include "kernels/bodies/move_copy.h"
#include "kernels/bodies/move_index.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T>
void fill(const void* args, int64_t begin, int64_t end) {
  const FillArgs& a = *static_cast<const FillArgs*>(args);
  T* y = static_cast<T*>(a.y);
  const T value = static_cast<T>(a.value);
  const int64_t stop = end * kFillBlock < a.count ? end * kFillBlock : a.count;
  for (int64_t i = begin * kFillBlock; i < stop; ++i) y[i] = value;
}

template <class T>
void one_hot(const void* args, int64_t begin, int64_t end) {
  const OneHotArgs& a = *static_cast<const OneHotArgs*>(args);
  const Indices index{a.index, a.index64};
  const T on = static_cast<T>(a.on), off = static_cast<T>(a.off);
  for (int64_t r = begin; r < end; ++r) {
    T* y = static_cast<T*>(a.y) + r * a.depth;
    for (int64_t j = 0; j < a.depth; ++j) y[j] = off;
    const int64_t i = index[r];
    if (i >= 0 && i < a.depth) y[i] = on;
  }
}

template <class T>
void triangle(const void* args, int64_t begin, int64_t end) {
  const TriangleArgs& a = *static_cast<const TriangleArgs*>(args);
  const auto clamp = [&a](int64_t c) { return c < 0 ? 0 : c > a.columns ? a.columns : c; };
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t r = unit % a.rows;
    const T* x = static_cast<const T*>(a.x) + unit * a.columns;
    T* y = static_cast<T*>(a.y) + unit * a.columns;
    // Columns [first, last) are kept.
    const int64_t first = a.lower ? 0 : clamp(r + a.k), last = a.lower ? clamp(r + a.k + 1) : a.columns;
    memset(y, 0, static_cast<size_t>(first) * sizeof(T));
    if (x != y) memcpy(y + first, x + first, static_cast<size_t>(last - first) * sizeof(T));
    memset(y + last, 0, static_cast<size_t>(a.columns - last) * sizeof(T));
  }
}

void bincount(const void* args, int64_t begin, int64_t end) {
  const BincountArgs& a = *static_cast<const BincountArgs*>(args);
  const Indices x{a.x, a.index64};
  for (int64_t r = begin; r < end; ++r) {
    int32_t* y = a.y + r * a.depth;
    memset(y, 0, static_cast<size_t>(a.depth) * sizeof(int32_t));
    for (int64_t i = r * a.n; i < (r + 1) * a.n; ++i) {
      const int64_t v = x[i];
      if (v >= 0 && v < a.depth) ++y[v];
    }
  }
}

FALCONET_INLINE void put_index(void* y, bool wide, int64_t at, int64_t value) {
  if (wide) {
    static_cast<int64_t*>(y)[at] = value;
  } else {
    static_cast<int32_t*>(y)[at] = static_cast<int32_t>(value);
  }
}

void nonzero(const void* args, int64_t begin, int64_t end) {
  if (begin == end) return;
  const NonzeroArgs& a = *static_cast<const NonzeroArgs*>(args);
  int64_t count = 1, found = 0;
  for (int i = 0; i < a.rank; ++i) count *= a.dims[i];
  for (int64_t at = 0; at < count; ++at) {
    const void* next = memchr(a.x + at, 1, static_cast<size_t>(count - at));
    if (next == nullptr) break;
    at = static_cast<const uint8_t*>(next) - a.x;
    if (found < a.size) {
      int64_t rest = at;
      for (int i = a.rank - 1; i >= 0; --i) {
        put_index(a.y, a.index64, i * a.size + found, rest % a.dims[i]);
        rest /= a.dims[i];
      }
    }
    ++found;
  }
  for (int64_t j = found; j < a.size; ++j) {
    for (int i = 0; i < a.rank; ++i) put_index(a.y, a.index64, i * a.size + j, a.fill);
  }
  if (a.found != nullptr) *a.found = found;
}

}  // namespace

// Element sizes: 1, 2, 4, 8 bytes. Lanes: f32, f64, i32, i64, u64, mask.
extern const MoveKernels move_kernels;
const MoveKernels move_kernels = {
    {copy<uint8_t>, copy<uint16_t>, copy<uint32_t>, copy<uint64_t>},
    {fill<uint8_t>, fill<uint16_t>, fill<uint32_t>, fill<uint64_t>},
    gather,
    {
        {scatter<Sum<float>>, scatter<Sum<double>>, scatter<Sum<int32_t>>, scatter<Sum<int64_t>>, scatter<Sum<int64_t>>,
         nullptr},
        {scatter<Prod<float>>, scatter<Prod<double>>, scatter<Prod<int32_t>>, scatter<Prod<int64_t>>,
         scatter<Prod<int64_t>>, nullptr},
        {scatter<Min<float>>, scatter<Min<double>>, scatter<Min<int32_t>>, scatter<Min<int64_t>>, scatter<UMin>,
         nullptr},
        {scatter<Max<float>>, scatter<Max<double>>, scatter<Max<int32_t>>, scatter<Max<int64_t>>, scatter<UMax>,
         nullptr},
    },
    {scatter_set<uint8_t>, scatter_set<uint16_t>, scatter_set<uint32_t>, scatter_set<uint64_t>},
    {take_along<uint8_t>, take_along<uint16_t>, take_along<uint32_t>, take_along<uint64_t>},
    {put_along<uint8_t, false>, put_along<uint16_t, false>, put_along<uint32_t, false>, put_along<uint64_t, false>},
    {put_along<float, true>, put_along<double, true>, put_along<int32_t, true>, put_along<int64_t, true>,
     put_along<int64_t, true>, nullptr},
    {one_hot<uint8_t>, one_hot<uint16_t>, one_hot<uint32_t>, one_hot<uint64_t>},
    {triangle<uint8_t>, triangle<uint16_t>, triangle<uint32_t>, triangle<uint64_t>},
    bincount,
    nonzero,
};

}  // namespace falconet::FALCONET_ISA
