#include "plan/tile.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"

namespace falconet {

namespace {

constexpr int64_t kRegisterLine = 64;
constexpr int64_t kShortRepeat = 32;
constexpr int64_t kLine = 64;
// One tile ahead comes 10 to 20 % later, three no earlier.
constexpr int64_t kTilesAhead = 2;
// Programs of fewer steps read memory in most of them: asking for it costs 5 to 10 % there.
constexpr int kFewestSteps = 3;

// Copies elements [start, start + n) of the domain, each of T's size, through dims and strides.
template <class T>
void copy_strided(const TileOperand& o, int64_t start, int64_t n, T* to) {
  const T* base = static_cast<const T*>(o.base);
  int64_t index[kMaxRank], offset = 0, rest = start;
  for (int d = o.rank - 1; d >= 0; --d) {
    index[d] = rest % o.dims[d];
    rest /= o.dims[d];
    offset += index[d] * o.strides[d];
  }
  const int last = o.rank - 1;
  const int64_t step = o.strides[last];
  while (n > 0) {
    const int64_t run = std::min(n, o.dims[last] - index[last]);
    const T* from = base + offset;
    if (step == 0 && run == o.dims[last] && run <= kShortRepeat && last > 0) {
      // Short repetitions (a row's elements, each some times over): all of the next axis at once.
      const int64_t rows = std::min(n / run, o.dims[last - 1] - index[last - 1]), stride = o.strides[last - 1];
      for (int64_t r = 0; r < rows; ++r) {
        const T value = from[r * stride];
        for (int64_t k = 0; k < run; ++k) to[r * run + k] = value;
      }
      to += rows * run;
      n -= rows * run;
      offset += rows * stride;
      index[last - 1] += rows;
      for (int d = last - 1; d >= 0 && index[d] == o.dims[d]; --d) {
        offset -= index[d] * o.strides[d];
        index[d] = 0;
        if (d > 0) {
          offset += o.strides[d - 1];
          ++index[d - 1];
        }
      }
      continue;
    }
    if (step == 1) {
      std::memcpy(to, from, run * sizeof(T));
    } else if (step == 0) {
      std::fill_n(to, run, *from);
    } else {
      for (int64_t i = 0; i < run; ++i) to[i] = from[i * step];
    }
    to += run;
    n -= run;
    offset -= index[last] * step;
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += o.strides[d];
      if (++index[d] < o.dims[d]) break;
      offset -= index[d] * o.strides[d];
      index[d] = 0;
    }
  }
}

template <class T>
void copy_periodic(const TileOperand& o, int64_t start, int64_t n, T* to) {
  const T* base = static_cast<const T*>(o.base);
  int64_t at = start % o.period;
  while (n > 0) {
    const int64_t run = std::min(n, o.period - at);
    std::memcpy(to, base + at, run * sizeof(T));
    to += run;
    n -= run;
    at = 0;
  }
}

template <class T>
void gather(const TileOperand& o, int64_t start, int64_t n, void* to) {
  o.access == TileAccess::periodic ? copy_periodic(o, start, n, static_cast<T*>(to))
                                   : copy_strided(o, start, n, static_cast<T*>(to));
}

void gather_bytes(const TileOperand& o, int64_t start, int64_t n, void* to) {
  switch (size_of(o.dtype)) {
    case 1: return gather<uint8_t>(o, start, n, to);
    case 2: return gather<uint16_t>(o, start, n, to);
    case 4: return gather<uint32_t>(o, start, n, to);
    default: return gather<uint64_t>(o, start, n, to);
  }
}

class Run {
 public:
  explicit Run(const TileProgram& p) : p_(p) {
    for (int r = 0; r < p.num_registers; ++r) slot_[r] = registers_ + r * p.register_bytes;
    find_streams();
  }

  // Registers that hold the same in every tile; `n`: the longest tile to come.
  void hoist(int64_t n) {
    for (int i = 0; i < p_.num_operands; ++i) {
      if (p_.operands[i].hoisted) load(i, 0, n);
    }
  }

  // Points slots at elements [start, start + n), loads what needs loading and runs the steps.
  void tile(int64_t start, int64_t n) {
    for (int i = 0; i < p_.num_operands; ++i) {
      const TileOperand& o = p_.operands[i];
      if (o.access == TileAccess::whole) {
        slot_[p_.num_registers + i] = o.base;
      } else if (o.access == TileAccess::direct && o.reg < 0) {
        slot_[p_.num_registers + i] = static_cast<std::byte*>(o.base) + start * size_of(o.dtype);
      } else if (!o.hoisted && !o.is_output) {
        load(i, start, n);
      }
    }
    for (int s = 0; s < p_.num_steps; ++s) {
      const TileStep& step = p_.steps[s];
      step.fn(slot_[step.y], slot_[step.a], slot_[step.b], slot_[step.c], n, start);
      if (num_streams_ != 0) ask_ahead(start + n * s / p_.num_steps, start + n * (s + 1) / p_.num_steps);
    }
    for (int i = 0; i < p_.num_operands; ++i) {
      const TileOperand& o = p_.operands[i];
      if (o.is_output && o.reg >= 0) {
        p_.kernels->store[static_cast<int>(o.dtype)](static_cast<std::byte*>(o.base) + start * size_of(o.dtype),
                                                     slot_[o.reg], nullptr, nullptr, n, start);
      }
    }
  }

  const void* slot(int i) const { return slot_[i]; }

 private:
  // The hardware asks for lines while a step reads memory. Most steps of a long program read registers alone, and the
  // memory would idle: so between steps lines of a later tile are asked for, a few at a time, as a burst would fill the
  // miss buffers. Beyond the last cache optimizers gain 25 to 60 %; in it, short programs would lose 20.
  void find_streams() {
    // At most 8 bytes an element: most programs are told apart by this.
    if (p_.num_steps < kFewestSteps || p_.size * 8 * p_.num_operands < cpu::caches().l3 / 2) return;
    int64_t bytes = 0;
    for (int i = 0; i < p_.num_operands; ++i) {
      const TileOperand& o = p_.operands[i];
      if (o.access != TileAccess::direct) continue;
      bool is_new = true;  // an output in place of an input is asked for with that
      for (int s = 0; s < num_streams_; ++s) is_new = is_new && streams_[s].base != o.base;
      if (!is_new) continue;
      streams_[num_streams_++] = {static_cast<const std::byte*>(o.base), size_of(o.dtype)};
      bytes += p_.size * size_of(o.dtype);
    }
    if (bytes < cpu::caches().l3 / 2) num_streams_ = 0;
  }

  void ask_ahead(int64_t start, int64_t end) {
    start += kTilesAhead * p_.tile;
    end = std::min(end + kTilesAhead * p_.tile, p_.size);
    for (int s = 0; s < num_streams_; ++s) {
      const std::byte* base = streams_[s].base;
      for (int64_t at = start * streams_[s].bytes; at < end * streams_[s].bytes; at += kLine) cpu::prefetch_later(base + at);
    }
  }

  void load(int i, int64_t start, int64_t n) {
    const TileOperand& o = p_.operands[i];
    const int64_t bytes = size_of(o.dtype);
    void*& slot = slot_[p_.num_registers + i];
    if (o.access == TileAccess::periodic && is_native(o.dtype) && start % o.period + n <= o.period) {
      slot = static_cast<std::byte*>(o.base) + start % o.period * bytes;
      return;
    }
    std::byte* reg = registers_ + o.reg * p_.register_bytes;
    const MicroFn convert = is_native(o.dtype) ? nullptr : p_.kernels->load[static_cast<int>(o.dtype)];
    if (o.access == TileAccess::scalar) {
      alignas(8) std::byte value[8];
      convert ? convert(value, o.base, nullptr, nullptr, 1, 0) : void(std::memcpy(value, o.base, bytes));
      const bool wide = lane_bytes(lane_of(o.dtype)) == 8;
      (wide ? p_.kernels->fill64 : p_.kernels->fill32)(reg, value, nullptr, nullptr, n, 0);
    } else if (o.access == TileAccess::direct) {
      convert(reg, static_cast<std::byte*>(o.base) + start * bytes, nullptr, nullptr, n, start);
    } else if (convert) {
      alignas(kRegisterLine) std::byte raw[kMaxTileElements * 8];
      gather_bytes(o, start, n, raw);
      convert(reg, raw, nullptr, nullptr, n, start);
    } else {
      gather_bytes(o, start, n, reg);
    }
    slot = reg;
  }

  struct Stream {
    const std::byte* base;
    int64_t bytes;  // of an element
  };

  const TileProgram& p_;
  int num_streams_ = 0;
  Stream streams_[kMaxTileSlots];
  void* slot_[kMaxTileSlots];
  alignas(kRegisterLine) std::byte registers_[kTileBytes];
};

}  // namespace

void run_tiles(const void* program, int64_t begin, int64_t end) {
  const TileProgram& p = *static_cast<const TileProgram*>(program);
  Run run(p);
  run.hoist(std::min(p.tile, p.size));
  for (int64_t t = begin; t < end; ++t) run.tile(t * p.tile, std::min(p.tile, p.size - t * p.tile));
}

void run_tiles_reduce(const void* program, int64_t begin, int64_t end) {
  const TileProgram& p = *static_cast<const TileProgram*>(program);
  const TileReduce& r = p.reduce;
  Run run(p);
  run.hoist(std::min(p.tile, p.size));
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit / r.blocks, block = unit % r.blocks;
    const int64_t first = row * r.row + block * kReduceBlock;
    const int64_t last = std::min(first + kReduceBlock, (row + 1) * r.row);
    alignas(kRegisterLine) std::byte acc[kReduceLaneBytes];
    r.pieces.start(acc);
    for (int64_t at = first; at < last; at += p.tile) {
      const int64_t n = std::min(p.tile, last - at);
      run.tile(at, n);
      r.pieces.accumulate(acc, run.slot(r.slot), n);
    }
    r.pieces.finish(acc, static_cast<std::byte*>(r.partial) + unit * r.lane_bytes);
  }
}

void run_tile_epilogue(const void* context, int64_t batch, int64_t row, int64_t rows, int64_t col, int64_t cols) {
  const TileEpilogue& e = *static_cast<const TileEpilogue*>(context);
  const TileProgram& p = *e.program;
  Run run(p);
  run.hoist(std::min(p.tile, rows * cols));
  const int64_t first = (batch * e.height + row) * e.width + col;
  const bool whole_rows = cols == e.width;
  const int64_t segments = whole_rows ? 1 : rows, length = whole_rows ? rows * cols : cols;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t start = first + s * e.width;
    for (int64_t at = 0; at < length; at += p.tile) {
      run.tile(start + at, std::min(p.tile, length - at));
    }
  }
}

void set_tile_access(TileOperand& o, const Shape& domain, const Shape& strides) {
  // Merge axes that one stride spans; axes of one element say nothing.
  int rank = 0;
  for (int d = domain.rank() - 1; d >= 0; --d) {
    if (domain[d] == 1) continue;
    if (rank > 0 && strides[d] == o.strides[rank - 1] * o.dims[rank - 1]) {
      o.dims[rank - 1] *= domain[d];
    } else {
      o.dims[rank] = domain[d];
      o.strides[rank++] = strides[d];
    }
  }
  std::reverse(o.dims, o.dims + rank);
  std::reverse(o.strides, o.strides + rank);
  o.rank = rank;
  if (rank == 0 || (rank == 1 && o.strides[0] == 1)) {
    o.access = TileAccess::direct;
  } else if (rank == 1 && o.strides[0] == 0) {
    o.access = TileAccess::scalar;
  } else if (rank == 2 && o.strides[0] == 0 && o.strides[1] == 1) {
    o.access = TileAccess::periodic;
    o.period = o.dims[1];
  } else {
    o.access = TileAccess::strided;
  }
}

}  // namespace falconet
