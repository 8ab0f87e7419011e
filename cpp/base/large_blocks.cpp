#include "base/large_blocks.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>

#include "base/buffer.h"

#ifdef _WIN32
#include <malloc.h>
#else
#include <sys/mman.h>
#endif

namespace falconet::large_blocks {
namespace {

constexpr size_t kGranule = 64 << 10;          // sizes are rounded up to this: a multiple of every page size in use
constexpr size_t kHugePage = size_t{2} << 20;  // of x86-64, and of arm64 with pages of 4 KiB
constexpr size_t kHugeFrom = 2 * kHugePage;    // smaller blocks would hold less than one whole huge page for sure
constexpr int kMaxKept = 16;

size_t rounded(size_t bytes) {
  if (bytes > SIZE_MAX - kGranule - kHugePage) throw std::bad_alloc();
  return (bytes + kGranule - 1) / kGranule * kGranule;
}

#ifdef _WIN32

void* map(size_t size) { return _aligned_malloc(size, kAlignment); }
void unmap(void* p, size_t) { _aligned_free(p); }

#else

void* map_pages(size_t size) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
void unmap(void* p, size_t size) { munmap(p, size); }

// From kHugeFrom on, at a multiple of a huge page: asks for one more and gives back both ends.
void* map(size_t size) {
  if (size < kHugeFrom) return map_pages(size);
  auto* p = static_cast<std::byte*>(map_pages(size + kHugePage));
  if (!p) return nullptr;
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
  if (before > 0) munmap(p, before);
  if (before < kHugePage) munmap(p + before + size, kHugePage - before);
#ifdef MADV_HUGEPAGE
  madvise(p + before, size, MADV_HUGEPAGE);  // refused where the system has none: then pages are small
#endif
  return p + before;
}

#endif

struct Kept {
  void* block = nullptr;
  size_t size = 0;
  int64_t since_ms = 0;
};

// Oldest first. Neither has a destructor: arrays may be freed while the process ends.
Kept kept_blocks[kMaxKept];
int num_kept = 0;
size_t kept_bytes = 0;
std::atomic_flag lock_flag = ATOMIC_FLAG_INIT;

class TryLock {
 public:
  TryLock() : held_(!lock_flag.test_and_set(std::memory_order_acquire)) {}
  ~TryLock() {
    if (held_) lock_flag.clear(std::memory_order_release);
  }
  TryLock(const TryLock&) = delete;
  explicit operator bool() const { return held_; }

 private:
  const bool held_;
};

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// Under the lock: takes block i out of the list.
Kept take(int i) {
  const Kept taken = kept_blocks[i];
  kept_bytes -= taken.size;
  --num_kept;
  for (; i < num_kept; ++i) kept_blocks[i] = kept_blocks[i + 1];
  return taken;
}

void drop_idle(int64_t now) {
  while (num_kept > 0 && now - kept_blocks[0].since_ms > kMaxIdleMs) {
    const Kept old = take(0);
    unmap(old.block, old.size);
  }
}

}  // namespace

void* allocate(size_t bytes) {
  const size_t size = rounded(bytes);
  if (const TryLock lock; lock && num_kept > 0) {
    drop_idle(now_ms());
    // Of exactly the size, so that what release() is told is what there is; the one freed last, as it may be in cache.
    for (int i = num_kept - 1; i >= 0; --i) {
      if (kept_blocks[i].size == size) return take(i).block;
    }
  }
  void* p = map(size);
  if (!p && trim() > 0) p = map(size);
  if (!p) throw std::bad_alloc();
  return p;
}

void release(void* block, size_t bytes) noexcept {
  const size_t size = (bytes + kGranule - 1) / kGranule * kGranule;
  if (size <= kMostKept) {
    if (const TryLock lock; lock) {
      const int64_t now = now_ms();
      drop_idle(now);
      while (num_kept == kMaxKept || kept_bytes + size > kMostKept) {
        const Kept old = take(0);
        unmap(old.block, old.size);
      }
      kept_blocks[num_kept++] = {block, size, now};
      kept_bytes += size;
      return;
    }
  }
  unmap(block, size);
}

size_t trim() noexcept {
  const TryLock lock;
  if (!lock) return 0;
  const size_t bytes = kept_bytes;
  while (num_kept > 0) {
    const Kept old = take(num_kept - 1);
    unmap(old.block, old.size);
  }
  return bytes;
}

size_t kept() noexcept {
  const TryLock lock;
  return lock ? kept_bytes : 0;
}

}  // namespace falconet::large_blocks
