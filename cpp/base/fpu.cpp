// Access to MXCSR (x86-64) and to FPCR with FPSR (arm64).
#include "base/fpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#elif defined(_M_ARM64) && defined(_MSC_VER)
#include <intrin.h>
#endif

namespace falconet::fpu {
namespace {

// One word each: the low half control, the high half status. x86 keeps both in MXCSR, so there the high half is 0.
#if defined(__x86_64__) || defined(_M_X64)

constexpr uint64_t kFlush = 1u << 15 | 1u << 6;    // FTZ for results, DAZ for operands
constexpr uint64_t kModeBits = kFlush | 3u << 13;  // and RC, the rounding direction
uint64_t read_state() { return _mm_getcsr(); }
void write_state(uint64_t state) { _mm_setcsr(static_cast<unsigned>(state)); }

#elif defined(__aarch64__) || defined(_M_ARM64)

constexpr uint64_t kFlush = 1u << 24 | 1u << 19;   // FZ, and FZ16 for half precision: results and operands
constexpr uint64_t kModeBits = kFlush | 3u << 22;  // and RMode
#if defined(_M_ARM64) && defined(_MSC_VER)
uint64_t read_state() {
  return (static_cast<uint64_t>(_ReadStatusReg(ARM64_FPCR)) & 0xffffffffu) |
         static_cast<uint64_t>(_ReadStatusReg(ARM64_FPSR)) << 32;
}
void write_state(uint64_t state) {
  _WriteStatusReg(ARM64_FPCR, static_cast<int64_t>(state & 0xffffffffu));
  _WriteStatusReg(ARM64_FPSR, static_cast<int64_t>(state >> 32));
}
#else
uint64_t read_state() {
  uint64_t control, status;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("mrs %0, fpsr" : "=r"(status));
  return (control & 0xffffffffu) | status << 32;
}
void write_state(uint64_t state) {
  __asm__ volatile("msr fpcr, %0" : : "r"(state & 0xffffffffu));
  __asm__ volatile("msr fpsr, %0" : : "r"(state >> 32));
}
#endif

#else

constexpr uint64_t kFlush = 0;
constexpr uint64_t kModeBits = 0;
uint64_t read_state() { return 0; }
void write_state(uint64_t) {}

#endif

}  // namespace

Mode mode() { return read_state() & kModeBits; }

void set_mode(Mode mode) { write_state((read_state() & ~kModeBits) | (mode & kModeBits)); }

FlushDenormals::FlushDenormals() : saved_(read_state()) { write_state(saved_ | kFlush); }

FlushDenormals::~FlushDenormals() { write_state(saved_); }

}  // namespace falconet::fpu
