// Memory of large arrays: whole pages from the system, huge ones where it has them, and the few blocks that were freed
// last kept for the next array of about their size.
//
// A fresh page costs a fault and is filled with zeros before anybody writes it: for an elementwise op more than the op
// itself. A loop that makes and drops arrays of one size gets the same pages again instead. What is kept is bounded by
// kMostKept bytes and by age: a block that nobody took for kMaxIdleMs goes back to the system at the next large
// allocation or release, and all of them with trim().
//
// Thread-safe, and safe to use in the child of a fork: nobody ever waits for the lock. Who finds it taken goes to the
// system (for good, in a child forked while another thread held it).
#pragma once

#include <cstddef>

namespace falconet::large_blocks {

inline constexpr size_t kSmallest = size_t{1} << 20;  // below, the C library's heap reuses memory well
inline constexpr size_t kMostKept = size_t{256} << 20;
inline constexpr int kMaxIdleMs = 1000;

// `bytes` >= kSmallest; aligned to kAlignment at least, uninitialised. Throws std::bad_alloc.
void* allocate(size_t bytes);
// `bytes`: what it was allocated with.
void release(void* block, size_t bytes) noexcept;
// Gives back to the system all that is kept, and returns how many bytes that were.
size_t trim() noexcept;
// Bytes kept for reuse now; 0 while another thread holds the lock.
size_t kept() noexcept;

}  // namespace falconet::large_blocks
