// What this processor and its operating system offer, asked once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <xmmintrin.h>
#endif

namespace falconet::cpu {

struct Features {
  bool avx2 = false;    // with FMA and F16C, and saved by the system
  bool avx512 = false;  // F, BW, CD, DQ, VL, and saved by the system
  bool avx512_bf16 = false;
  bool avx512_vnni = false;
  bool neon = false;
  bool virtual_machine = false;  // a hypervisor says that it runs this system
};
const Features& features();

struct Caches {
  int64_t l1d = 32 << 10, l2 = 512 << 10, l3 = 8 << 20;  // bytes, per core (l3: shared)
};
const Caches& caches();

std::string model_name();  // "" where unknown

void pause();  // a hint to the processor that the caller spins

// Asks for the cache line of p, which may be any address.
inline void prefetch([[maybe_unused]] const void* p) {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
#elif !defined(_MSC_VER)
  __builtin_prefetch(p);
#endif
}

// The same, into the cache behind the first: for what is needed a little later.
inline void prefetch_later([[maybe_unused]] const void* p) {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
#elif !defined(_MSC_VER)
  __builtin_prefetch(p, 0, 2);
#endif
}

}  // namespace falconet::cpu
