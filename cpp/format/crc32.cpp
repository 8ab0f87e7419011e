#include "format/crc32.h"

#include <array>

namespace falconet {

namespace {

// table[k][b]: what byte b does to the remainder when k more bytes follow it (Kounavis and Berry 2005, "slicing").
using Tables = std::array<std::array<uint32_t, 256>, 16>;

constexpr Tables make_tables() {
  Tables t{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t r = b;
    for (int bit = 0; bit < 8; ++bit) r = r & 1 ? r >> 1 ^ 0xEDB88320u : r >> 1;
    t[0][b] = r;
  }
  for (int k = 1; k < 16; ++k) {
    for (int b = 0; b < 256; ++b) t[k][b] = t[k - 1][b] >> 8 ^ t[0][t[k - 1][b] & 0xFF];
  }
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint32_t crc32(const void* data, size_t bytes, uint32_t before) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint32_t r = ~before;
  for (; bytes >= 16; bytes -= 16, p += 16) {
    uint32_t next = 0;
    for (int i = 0; i < 16; ++i) {
      const uint32_t byte = i < 4 ? (p[i] ^ r >> 8 * i) & 0xFF : p[i];
      next ^= kTables[15 - i][byte];
    }
    r = next;
  }
  for (; bytes > 0; --bytes, ++p) r = r >> 8 ^ kTables[0][(r ^ *p) & 0xFF];
  return ~r;
}

}  // namespace falconet
