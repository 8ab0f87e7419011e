// Tile programs: a cluster of elementwise operations run tile by tile, so that intermediate values stay in L1.
//
// A program works on `size` elements numbered in row-major order. For each tile of consecutive numbers it points slots
// at registers (L1-sized scratch) or straight into memory, then runs its steps, each one micro-operation over the tile.
// Operands that are broadcast or strided are copied into a register first; those that are the same for every tile once
// per call. Dispatch costs a few nanoseconds a step.
//
// A program may end in a sum (or other reduction) of one register over rows of `reduce.row` consecutive elements, by the
// fixed tree of kernels/reduce.h: a unit is then one block of at most kReduceBlock elements of a row.
#pragma once

#include <cstdint>

#include "base/shape.h"
#include "kernels/kernels.h"

namespace falconet {

inline constexpr int64_t kTileBytes = 24 << 10;  // registers of one program: most of L1, leaving room for what streams
inline constexpr int kMaxTileElements = 1024;
inline constexpr int kMinTileElements = 64;
inline constexpr int kMaxTileSlots = 160;
inline constexpr int kMaxTileRegisters = 44;

// How the element of number i of the domain is found in memory.
enum class TileAccess : uint8_t {
  direct,    // element i
  scalar,    // element 0
  periodic,  // element i % period
  strided,   // by dims and strides
  whole,     // the slot is the memory's address for every tile: a key, or a tile of one number
};

struct TileOperand {
  void* base = nullptr;
  DType dtype = DType::float32;
  TileAccess access = TileAccess::direct;
  int16_t reg = -1;        // where it is loaded; -1: slots point into memory
  bool hoisted = false;    // loaded once per call, not per tile
  bool is_output = false;
  int rank = 0;            // strided: merged axes, outermost first
  int64_t period = 0;
  int64_t dims[kMaxRank] = {}, strides[kMaxRank] = {};
};

struct TileStep {
  MicroFn fn;
  int16_t y, a, b, c;  // slots: below num_registers a register, else operand number + num_registers
};

struct TileReduce {
  ReducePieces pieces = {};
  int16_t slot = -1;       // what is reduced
  int64_t row = 0;         // elements of a row; 0: no reduction
  int64_t blocks = 0;      // blocks of a row
  void* partial = nullptr; // (rows, blocks) lane values; the result itself where blocks == 1
  int64_t lane_bytes = 4;
};

struct TileProgram {
  const PointwiseKernels* kernels = nullptr;
  int64_t size = 0;
  int64_t tile = 0;
  int64_t register_bytes = 0;
  int num_registers = 0, num_operands = 0, num_steps = 0;
  TileOperand* operands = nullptr;
  TileStep* steps = nullptr;
  TileReduce reduce;

  int64_t tiles() const { return (size + tile - 1) / tile; }
};

// args: const TileProgram*; units: tiles().
void run_tiles(const void* program, int64_t begin, int64_t end);
// args: const TileProgram* with a reduction; units: size / reduce.row * reduce.blocks.
void run_tiles_reduce(const void* program, int64_t begin, int64_t end);
// A GemmEpilogue: context is a TileProgram whose domain is (batch, rows, width).
struct TileEpilogue {
  const TileProgram* program;
  int64_t height, width;
};
void run_tile_epilogue(const void* context, int64_t batch, int64_t row, int64_t rows, int64_t col, int64_t cols);

// Sets access, rank, dims, strides and period of an operand of `shape` seen through `view` strides from a domain of
// shape `domain` (broadcast axes have stride 0).
void set_tile_access(TileOperand& operand, const Shape& domain, const Shape& strides);

}  // namespace falconet
