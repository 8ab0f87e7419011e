// Shapes of at most kMaxRank axes, held inline so that no shape work allocates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>

#include "base/dtype.h"
#include "base/error.h"

namespace falconet {

inline constexpr int kMaxRank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), dims.end()) {}
  template <class It>
  Shape(It first, It last) {
    for (; first != last; ++first) push_back(*first);
  }

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  // A negative axis counts from the end; the caller has checked the range.
  int64_t operator[](int axis) const { return dims_[axis < 0 ? axis + rank_ : axis]; }
  int64_t& operator[](int axis) { return dims_[axis < 0 ? axis + rank_ : axis]; }
  int64_t back() const { return dims_[rank_ - 1]; }
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }
  int64_t* begin() { return dims_; }
  int64_t* end() { return dims_ + rank_; }

  void push_back(int64_t dim) {
    if (rank_ == kMaxRank) fail("at most ", kMaxRank, " axes are supported");
    dims_[rank_++] = dim;
  }
  void insert(int axis, int64_t dim) {
    push_back(0);
    std::copy_backward(dims_ + axis, dims_ + rank_ - 1, dims_ + rank_);
    dims_[axis] = dim;
  }
  void erase(int axis) {
    std::copy(dims_ + axis + 1, dims_ + rank_, dims_ + axis);
    --rank_;
  }

  int64_t size() const {  // number of elements; 1 for a scalar
    int64_t n = 1;
    for (int64_t d : *this) n *= d;
    return n;
  }
  bool operator==(const Shape& o) const { return rank_ == o.rank_ && std::equal(begin(), end(), o.begin()); }
  bool operator!=(const Shape& o) const { return !(*this == o); }

  std::string text() const;  // as a Python tuple: "(3, 4)", "(3,)", "()"

 private:
  int64_t dims_[kMaxRank] = {};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

// NumPy's rule. Throws ValueError naming both shapes.
Shape broadcast_shapes(const Shape& a, const Shape& b);

// Row-major strides in elements.
Shape contiguous_strides(const Shape& shape);

// The axis in [0, rank), accepting negative ones. Throws ValueError naming `what`.
int normalize_axis(int64_t axis, int rank, const char* what = "axis");

struct Spec {
  DType dtype = DType::float32;
  Shape shape;

  int64_t size() const { return shape.size(); }
  int64_t bytes() const { return shape.size() * size_of(dtype); }
  bool operator==(const Spec& o) const { return dtype == o.dtype && shape == o.shape; }
  bool operator!=(const Spec& o) const { return !(*this == o); }
};
std::ostream& operator<<(std::ostream& out, const Spec& spec);  // "float32(3, 4)"

}  // namespace falconet
