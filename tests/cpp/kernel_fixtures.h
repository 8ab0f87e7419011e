// What kernel tests share: seeded numbers, guarded memory, units run in different ways.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/philox.h"
#include "base/task.h"

namespace fixtures {

class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}
  double uniform(double low, double high) {
    const falconet::Philox4 words = falconet::philox(seed_, block_++);
    const double unit = static_cast<double>(uint64_t{words.w[0]} << 21 ^ words.w[1]) * 0x1p-53;
    return low + (high - low) * unit;
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(uniform(0, static_cast<double>(n))); }
  template <class T>
  std::vector<T> values(int64_t n, double low, double high) {
    std::vector<T> v(static_cast<size_t>(n));
    for (T& x : v) x = static_cast<T>(uniform(low, high));
    return v;
  }

 private:
  uint64_t seed_, block_ = 0;
};

// n elements, 64-byte aligned, between two stretches of bytes that must not change.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t n) : n_(static_cast<size_t>(n)), memory_(n_ * sizeof(T) + 2 * kGuard + 64, kMark) {
    const size_t off = reinterpret_cast<uintptr_t>(memory_.data() + kGuard) % 64;
    start_ = kGuard + (off ? 64 - off : 0);
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(static_cast<int64_t>(values.size())) {
    if (n_ > 0) std::memcpy(data(), values.data(), n_ * sizeof(T));
  }
  Guarded(const Guarded&) = delete;
  T* data() { return reinterpret_cast<T*>(memory_.data() + start_); }
  std::vector<T> values() { return std::vector<T>(data(), data() + n_); }
  T& operator[](size_t i) { return data()[i]; }
  bool intact() const {
    const size_t end = start_ + n_ * sizeof(T);
    for (size_t i = 0; i < memory_.size(); ++i) {
      if ((i < start_ || i >= end) && memory_[i] != kMark) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 128;
  static constexpr unsigned char kMark = 0xA7;
  size_t n_, start_ = 0;
  std::vector<unsigned char> memory_;
};

enum class Split { all, units_backwards };

// The bits must not depend on how units are shared out.
inline void run_units(falconet::TaskFn task, const void* args, int64_t units, Split split) {
  if (split == Split::all) {
    if (units > 0) task(args, 0, units);
    return;
  }
  for (int64_t u = units; u > 0; --u) task(args, u - 1, u);
}

}  // namespace fixtures
