// What this processor and its operating system offer, asked once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace falconet::cpu {

struct Features {
  bool avx2 = false;    // with FMA and F16C, and saved by the system
  bool avx512 = false;  // F, BW, CD, DQ, VL, and saved by the system
  bool avx512_bf16 = false;
  bool avx512_vnni = false;
  bool neon = false;
};
const Features& features();

struct Caches {
  int64_t l1d = 32 << 10, l2 = 512 << 10, l3 = 8 << 20;  // bytes, per core (l3: shared)
};
const Caches& caches();

std::string model_name();  // "" where unknown

void pause();  // a hint to the processor that the caller spins

}  // namespace falconet::cpu
