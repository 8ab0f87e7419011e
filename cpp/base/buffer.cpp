#include "base/buffer.h"

#include <cstdlib>
#include <new>

#include "base/large_blocks.h"

#ifdef _MSC_VER
#include <malloc.h>
#endif

namespace falconet {

namespace {

// At least one line, and whole lines: kernels may then read (never write) a full vector at any valid start.
size_t padded(size_t bytes) { return (bytes / kAlignment + 1) * kAlignment; }

void* allocate_aligned(size_t bytes) {
  if (bytes >= large_blocks::kSmallest) return large_blocks::allocate(bytes);
#ifdef _MSC_VER
  void* p = _aligned_malloc(bytes, kAlignment);
#else
  void* p = std::aligned_alloc(kAlignment, bytes);
#endif
  if (!p) throw std::bad_alloc();
  return p;
}

void free_aligned(void* p, size_t bytes) {
  if (bytes >= large_blocks::kSmallest) return large_blocks::release(p, bytes);
#ifdef _MSC_VER
  _aligned_free(p);
#else
  std::free(p);
#endif
}

}  // namespace

std::shared_ptr<Buffer> Buffer::allocate(size_t bytes) {
  void* data = allocate_aligned(padded(bytes));
  try {
    return std::make_shared<Buffer>(Private(), data, bytes, nullptr);
  } catch (...) {
    free_aligned(data, padded(bytes));
    throw;
  }
}

std::shared_ptr<Buffer> Buffer::borrow(void* data, size_t bytes, std::shared_ptr<void> owner) {
  return std::make_shared<Buffer>(Private(), data, bytes, std::move(owner));
}

Buffer::~Buffer() {
  if (!owner_) free_aligned(data_, padded(bytes_));
}

}  // namespace falconet
