// Features, caches and name from CPUID (x86-64), or from the operating system (arm64).
#include "base/cpu.h"

#include <array>
#include <cstring>
#include <fstream>

#if defined(__x86_64__) || defined(_M_X64)
#define FALCONET_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#else
#define FALCONET_X86 0
#if defined(_M_ARM64) && defined(_MSC_VER)
#include <intrin.h>
#endif
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace falconet::cpu {
namespace {

#if FALCONET_X86

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero where the processor does not know the leaf.
Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
#if defined(_MSC_VER)
  int words[4];
  __cpuid(words, static_cast<int>(leaf & 0x80000000u));
  if (static_cast<uint32_t>(words[0]) < leaf) return r;
  __cpuidex(words, static_cast<int>(leaf), static_cast<int>(subleaf));
  std::memcpy(&r, words, sizeof(r));
#else
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
  return r;
}

// Which register files the operating system saves. Needs OSXSAVE.
uint64_t saved_state() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));  // xgetbv, without needing -mxsave
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}

constexpr bool bit(uint32_t word, int index) { return word >> index & 1; }

Features detect() {
  Features f;
  const Registers basic = cpuid(1), extended = cpuid(7), more = cpuid(7, 1);
  f.virtual_machine = bit(basic.ecx, 31);
  const bool fma = bit(basic.ecx, 12), osxsave = bit(basic.ecx, 27), avx = bit(basic.ecx, 28),
             f16c = bit(basic.ecx, 29);
  if (!osxsave || !avx) return f;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;  // SSE and AVX state; with opmask and both halves of ZMM
  const uint64_t saved = saved_state();
  f.avx2 = (saved & kYmm) == kYmm && fma && f16c && bit(extended.ebx, 5);
  f.avx512 = f.avx2 && (saved & kZmm) == kZmm && bit(extended.ebx, 16) && bit(extended.ebx, 17) &&
             bit(extended.ebx, 28) && bit(extended.ebx, 30) && bit(extended.ebx, 31);  // F, DQ, CD, BW, VL
  f.avx512_vnni = f.avx512 && bit(extended.ecx, 11);
  f.avx512_bf16 = f.avx512 && extended.eax >= 1 && bit(more.eax, 5);
  return f;
}

Caches measure_caches() {
  Caches c;
  const Registers vendor = cpuid(0);
  const bool amd = vendor.ebx == 0x68747541 || vendor.ebx == 0x6f677948;  // "Auth"enticAMD, "Hygo"nGenuine
  const uint32_t leaf = amd ? 0x8000001d : 4;
  for (uint32_t index = 0; index < 16; ++index) {
    const Registers r = cpuid(leaf, index);
    const uint32_t type = r.eax & 31;  // 0: no more; 1: data; 2: instructions; 3: unified
    if (type == 0) break;
    if (type == 2) continue;
    const int64_t ways = (r.ebx >> 22) + 1, partitions = (r.ebx >> 12 & 1023) + 1, line = (r.ebx & 4095) + 1;
    const int64_t bytes = ways * partitions * line * (int64_t{r.ecx} + 1);
    switch (r.eax >> 5 & 7) {
      case 1:
        c.l1d = bytes;
        break;
      case 2:
        c.l2 = bytes;
        break;
      case 3:
        c.l3 = bytes;
        break;
      default:
        break;
    }
  }
  return c;
}

std::string read_model_name() {
  std::array<Registers, 3> parts = {cpuid(0x80000002), cpuid(0x80000003), cpuid(0x80000004)};
  char text[sizeof(parts) + 1] = {};
  std::memcpy(text, parts.data(), sizeof(parts));
  std::string name(text);
  name.erase(0, name.find_first_not_of(' '));
  name.erase(name.find_last_not_of(' ') + 1);
  return name;
}

#else

Features detect() {
  Features f;
#if defined(__aarch64__) || defined(_M_ARM64)
  f.neon = true;  // part of the base architecture
#endif
  return f;
}

#if defined(__APPLE__)

void read_sysctl(const char* name, int64_t* value) {
  int64_t got = 0;
  size_t size = sizeof(got);
  if (sysctlbyname(name, &got, &size, nullptr, 0) == 0 && got > 0) *value = got;
}

Caches measure_caches() {
  Caches c;
  read_sysctl("hw.l1dcachesize", &c.l1d);
  read_sysctl("hw.l2cachesize", &c.l2);
  read_sysctl("hw.perflevel0.l1dcachesize", &c.l1d);
  read_sysctl("hw.perflevel0.l2cachesize", &c.l2);
  read_sysctl("hw.l3cachesize", &c.l3);
  return c;
}

std::string read_model_name() {
  char text[256] = {};
  size_t size = sizeof(text) - 1;
  return sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0 ? text : "";
}

#else

Caches measure_caches() {
  Caches c;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    std::ifstream level_file(folder + "/level"), type_file(folder + "/type"), size_file(folder + "/size");
    int level;
    std::string type;
    int64_t kib;  // "512K"
    if (!(level_file >> level && type_file >> type && size_file >> kib) || type == "Instruction") continue;
    if (level == 1) c.l1d = kib << 10;
    if (level == 2) c.l2 = kib << 10;
    if (level == 3) c.l3 = kib << 10;
  }
  return c;
}

std::string read_model_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.compare(0, 10, "model name") == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

#endif
#endif

}  // namespace

const Features& features() {
  static const Features found = detect();
  return found;
}

const Caches& caches() {
  static const Caches found = measure_caches();
  return found;
}

std::string model_name() { return read_model_name(); }

void pause() {
#if FALCONET_X86 && defined(_MSC_VER)
  _mm_pause();
#elif FALCONET_X86
  __builtin_ia32_pause();
#elif defined(_M_ARM64) && defined(_MSC_VER)
  __yield();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // yield is a no-op on most cores; isb waits for some tens of cycles
#endif
}

}  // namespace falconet::cpu
