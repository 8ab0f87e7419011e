// Aligned memory that tensors, variables and plans share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace falconet {

inline constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

class Buffer {
  struct Private {};  // only the two below make one, in a block with its count

 public:
  // Uninitialised; bytes may be 0. Throws std::bad_alloc.
  static std::shared_ptr<Buffer> allocate(size_t bytes);
  // Memory owned elsewhere (a NumPy array, a mapped file); `owner` keeps it alive.
  static std::shared_ptr<Buffer> borrow(void* data, size_t bytes, std::shared_ptr<void> owner);

  Buffer(Private, void* data, size_t bytes, std::shared_ptr<void> owner)
      : data_(static_cast<std::byte*>(data)), bytes_(bytes), owner_(std::move(owner)) {}
  Buffer(const Buffer&) = delete;
  ~Buffer();

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool borrowed() const { return owner_ != nullptr; }

 private:
  std::byte* data_;
  size_t bytes_;
  std::shared_ptr<void> owner_;
};

}  // namespace falconet
