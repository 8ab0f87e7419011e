// CRC-32 as in zlib, PNG and Ethernet (polynomial 0x04C11DB7, reflected; ISO 3309): what `zlib.crc32` computes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace falconet {

// Of the bytes that gave `before` followed by these.
uint32_t crc32(const void* data, size_t bytes, uint32_t before = 0);

}  // namespace falconet
