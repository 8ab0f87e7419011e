// Memory that reading a file may take: so much for each of its bytes, whatever they say.
#pragma once

#include <cstddef>
#include <vector>

#include "base/error.h"

namespace falconet {

class Budget {
 public:
  // For a file of this size: 1.25 bytes a byte, and 1 MiB.
  explicit Budget(size_t file_bytes) : left_(file_bytes + file_bytes / 4 + (size_t{1} << 20)) {}

  void charge(size_t bytes) {
    if (bytes > left_) fail("[load] the file describes more than a file of its size may hold");
    left_ -= bytes;
  }
  void release(size_t bytes) { left_ += bytes; }

  // Appends, having charged for what the vector grows by.
  template <class T>
  void push_back(std::vector<T>& to, T value) {
    if (to.size() == to.capacity()) {
      const size_t old = to.capacity(), grown = old < 4 ? old + 1 : old + old / 2;
      charge(grown * sizeof(T) + kOverhead);
      to.reserve(grown);
      release(old * sizeof(T) + (old ? kOverhead : 0));
    }
    to.push_back(std::move(value));
  }
  static constexpr size_t kOverhead = 16;  // of an allocation

 private:
  size_t left_;
};

}  // namespace falconet
