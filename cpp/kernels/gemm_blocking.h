// The numbers of the matrix product: tiles, blocks and thresholds, each with the inequality or measurement behind it.
// Measured on AMD Zen 4 (L1 32 KiB, L2 1 MiB per core, L3 32 MiB), and on Zen 3 (L2 512 KiB) where there are 16
// registers; only speed depends on them, never a bit of a result.
#pragma once

#include <cstdint>

namespace falconet {

// For elements of `kBytes` in vectors of `kWidth` lanes, of which the ISA has `kRegisters` registers.
template <int kBytes, int kWidth, int kRegisters>
struct GemmBlocking {
  // The micro-kernel holds kRows x kVecs accumulators, kVecs vectors of B and a broadcast of A:
  //   kRows * kVecs + kVecs + 2 <= kRegisters       AVX-512 and NEON: 14 x 2, others: 6 x 2
  static constexpr int kVecs = 2;
  static constexpr int kRows = (kRegisters - kVecs - 2) / kVecs;
  static constexpr int kNr = kVecs * kWidth;  // columns of a packed panel
  // Few rows make wider tiles, so that there are enough independent chains to cover the latency of an FMA (4 cycles,
  // so 4 chains of 512 bits or 8 of 256) and fewer broadcasts for each FMA. The same inequality: 6 x 4 or 2 x 4.
  static constexpr int kWideVecs = 4;
  static constexpr int kWideRows = (kRegisters - kWideVecs - 2) / kWideVecs;

  // A panel of A (kRows x kc) fits L1 while B streams past it: 14 * 512 * 4 = 28 KiB of 32. A longer k is cut in equal
  // parts, and each part reads and writes C once: kc = 256 loses 1 to 2 % to that. With few registers tiles are small,
  // and B passes more often: there a panel of B stays in L1 too, 6 * 256 * 4 + 256 * 16 * 4 = 22 KiB, and 21 of doubles
  // (192 instead of 128 steps gain 9 % at 1024^3).
  static constexpr bool kFewRegisters = kRegisters < 32;
  static constexpr int64_t kKc = kFewRegisters ? (kBytes == 4 ? 256 : 192) : 2048 / kBytes;
  // A block of B (kc x nc) lies in half of L2: 512 * 256 * 4 = 512 KiB of 1 MiB, 256 * 256 * 4 = 256 KiB of 512. Twice
  // as many columns lose 1 % at 1024^3, where C and the next panel of A want the other half.
  static constexpr int64_t kNc = 1024 / kBytes / kNr * kNr;
  // Whether A's panels are always packed, rather than read in place along rows or columns: every address in the tile's
  // loop is then a constant beside a pointer. With 6 x 2 vectors that saves a sixth of the instructions, which counts
  // where a core's front end is shared (Zen 3 beside a busy neighbour: 77 GFLOP/s in place, 87 packed).
  static constexpr bool kPacksA = kFewRegisters;
  // Up to so many columns packing A costs more than it saves (GFLOP/s in place and packed: 96^3 85 and 77, 1024 x 64 x 64
  // with B transposed 86 and 76).
  static constexpr int64_t kFewColumns = 8 * kNr;
  // Whether a loop packs B before the panels of A use it, rather than the first of them as B passes: it reads B in
  // longer pieces, which counts where tiles are narrow (128 x 768 x 3072 on Zen 3: 57 to 75 GFLOP/s).
  static constexpr bool kPacksBFirst = kFewRegisters;

  // Few rows times a matrix beyond kDirectBytes: rows of C that are kept in L1 while B streams past, a group of them at
  // a time. Above, the loads and stores of C cost more than the packed path's strided reading of B (AVX-512), or than
  // packing B (8 x 1024 x 1024 on Zen 3: 52 GFLOP/s against 49 in strides, and 21 against 14 where B is not cached).
  static constexpr int kStreamGroup = 4;
  static constexpr int kStreamRows = kFewRegisters ? 8 : 4;
  // With A transposed, few columns of C: A and B are exchanged up to so many.
  static constexpr int kExchangedColumns = kFewRegisters ? 2 * kRows : kRows;
  // Rows of B in one pass: each pass loads and stores C once, and rows * steps broadcasts of A take half the registers.
  static constexpr int stream_steps(int rows) {
    const int steps = kRegisters / 2 / rows;
    return steps < 4 ? steps : 4;
  }
  // Elements of C in a block, half of L1; columns up to which C stays in registers for the whole of k instead.
  static constexpr int64_t kStreamBlock = (16 << 10) / kBytes;
  static constexpr int64_t kStreamColumns = kWideVecs * kWidth;
  // Columns of a unit: rows of B read in pieces of 1 KiB reach 96 % of the bandwidth of whole rows, in pieces of 512
  // bytes half of it. Where every thread gets one, pieces of 2 KiB: two threads read 10 % faster (Zen 4, from L3).
  static constexpr int64_t kFewestStreamColumns = 1024 / kBytes;
  static constexpr int64_t kStreamUnitColumns = 2 * kFewestStreamColumns;
  // A row-major B up to this size is read in place: it stays in L1 or near enough, and packing would cost more.
  static constexpr int64_t kDirectBytes = 32 << 10;

  // Units of a parallel product. More than threads, so that a preempted thread delays only a part; a unit below
  // kUnitFlops (1 to 5 us) costs more to hand over than it saves. Where operands are large for the flops on them, time
  // goes by bytes: in that of one from L2 a core does kFlopsPerByte.
  static constexpr int64_t kUnitsPerThread = 4;
  static constexpr int64_t kUnitFlops = 1 << 17;
  static constexpr int64_t kFlopsPerByte = 2;
  // Each unit reads A again: 8 vectors of columns for every element of A that it brings into L1.
  static constexpr int64_t kUnitColumns = 4 * kWidth;
  // A transposed B up to this size is packed once for all units.
  static constexpr int64_t kSharedBytes = 128 << 10;
};

}  // namespace falconet
