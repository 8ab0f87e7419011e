// The packed path. For each block of columns and each stretch of k, B's block lies packed in L2, and the panel of A
// that is at work, in place or packed, in L1:
//
//   for columns jc in steps of kNc, for k pc in steps of kc, for panels i of A, for panels j of B: one tile
//
// The first panel of A reads B in place, from beyond L2, and packs it as it passes: the stores hide behind the FMAs.
// So a product of one panel of A (few rows) never packs a B that lies in rows, and reads it once, in wider tiles. Where
// tiles are narrow (kPacksBFirst), the block is packed before, row by row.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {
namespace {

// One unit: its panels of A and columns of C, and the scratch for its block of B.
struct Part {
  int64_t panel, panels, col, cols;
  void* scratch;
};

template <class T>
void pack_a(const Product<T>& q, int64_t row, int64_t p, int64_t k, int h, T* out) {
  const T* a = q.a + row * q.a_row + p * q.a_step;
  if (q.a_step == 1) {
    pack_a_rows(a, q.a_row, k, h, out);
  } else {
    pack_a_columns(a, q.a_step, k, h, out);
  }
}

// op(B)'s columns j .. j + cols of the stretch of k that starts at p, made ready for `t`; returns the tile to run,
// `near` where B is packed.
template <class T>
TileFn<T> first_tile(const Product<T>& q, Tile<T>& t, int64_t p, int64_t j, int rows, T* packed, bool reads_once,
                     TileFn<T> near) {
  using B = Blocking<T>;
  const T* b = q.b + p * q.b_step + j * q.b_column;
  const Tiles<T>& tiles = TileTable<T>::tiles;
  if (q.b_column == 1 && t.cols >= B::kNr) {
    t.b = b;
    t.b_step = q.b_step;
    t.b_packed = reads_once ? nullptr : packed;
    return (t.cols > B::kNr ? tiles.wide_far : tiles.far)[rows - 1];
  }
  if (q.b_column == 1) {
    pack_b_rows(b, q.b_step, t.k, t.cols, packed);
  } else {
    pack_b_columns(b, q.b_column, t.k, t.cols, packed);
  }
  t.b = packed;
  t.b_step = B::kNr;
  return near;
}

// The next panel of A, whose lines the tiles of a row of tiles ask for, each its share.
template <class T>
struct NextPanel {
  const T* next = nullptr;
  const T* end = nullptr;
  int64_t share = 0;  // elements

  void set(const T* panel, int64_t size, int64_t tiles) {
    constexpr int kLine = 64 / sizeof(T);
    next = panel;
    end = panel + size / kLine * kLine;
    share = ceil_div(size / kLine, tiles) * kLine;
  }
  FALCONET_INLINE void ask(Tile<T>& t) {
    t.ahead = next;
    next += least(share, end - next);
    t.ahead_end = next;
  }
};

// a_packed: all of A's panels, one after the other, or null; b_packed: all of B's panels, or null.
template <class T>
void run_part(const GemmArgs& args, const Product<T>& q, const Part& part, const T* a_packed, const T* b_packed) {
  using B = Blocking<T>;
  constexpr int W = Vec<T>::width, kNr = B::kNr;
  alignas(64) T a_panel[B::kRows * B::kKc];
  const Tiles<T>& tiles = TileTable<T>::tiles;
  const Panels panels(q.m, B::kRows);
  const int64_t kc = args.plan.kc;
  const bool packs = packs_a<T>(args.plan.problem);
  const auto& tile_fns = has_panels_of_a<T>(args.plan.problem) ? tiles.panel : tiles.plain;
  const bool reads_once = part.panels == 1 && q.b_column == 1 && !b_packed;
  for (int64_t jc = part.col; jc < part.col + part.cols; jc += B::kNc) {
    const int64_t nc = least(B::kNc, part.col + part.cols - jc);
    for (int64_t pc = 0; pc < q.k; pc += kc) {
      Tile<T> t = {};
      t.k = least(kc, q.k - pc);
      t.ldc = q.ldc;
      t.resume = pc > 0 || args.accumulate;
      t.finish = pc + t.k == q.k;
      t.relu = args.relu;
      t.gate = q.gate, t.gate_c = q.c;
      const bool packs_b = B::kPacksBFirst && !reads_once && !b_packed && q.b_column == 1;
      if (packs_b) pack_b_block(q.b + pc * q.b_step + jc, q.b_step, t.k, nc, kc, static_cast<T*>(part.scratch));
      for (int64_t i = part.panel; i < part.panel + part.panels; ++i) {
        const int h = panels.height(i);
        const int64_t row = panels.row(i);
        NextPanel<T> ahead;
        if (packs) {
          t.a = a_panel;
          t.a_row = 1;
          t.a_step = h;
          if (a_packed) {
            t.a = a_packed + row * q.k + pc * h;
          } else {
            pack_a(q, row, pc, t.k, h, a_panel);
          }
        } else {
          t.a = q.a + row * q.a_row + pc * q.a_step;
          t.a_row = q.a_row;
          t.a_step = q.a_step;
        }
        if (a_packed && i + 1 < part.panel + part.panels) ahead.set(t.a + h * q.k, h * t.k, ceil_div(nc, kNr));
        for (int64_t j = 0; j < nc; j += t.cols) {
          const bool wide = reads_once && h <= B::kWideRows && nc - j >= B::kWideVecs * W;
          t.cols = wide ? B::kWideVecs * W : static_cast<int>(least(kNr, nc - j));
          t.c = q.c + row * q.ldc + jc + j;
          t.c_next = j + kNr < nc ? t.c + kNr : row + h < q.m ? q.c + (row + h) * q.ldc + jc : nullptr;
          t.bias = q.bias ? q.bias + jc + j : nullptr;
          t.b_step = kNr;
          TileFn<T> fn = tile_fns[t.cols > W][h - 1];
          if (b_packed) {
            t.b = b_packed + (jc + j) * q.k + pc * kNr;
          } else {
            T* packed = static_cast<T*>(part.scratch) + j * kc;
            t.b = packed;
            if (i == part.panel && !packs_b) fn = first_tile(q, t, pc, jc + j, h, packed, reads_once, fn);
          }
          ahead.ask(t);
          fn(t);
        }
        if (t.finish) call_epilogue(args, q.batch, row, h, jc, nc);
      }
    }
  }
}

}  // namespace

template <class T>
void run_panels(const GemmArgs& args, int64_t begin, int64_t end) {
  const GemmPlan& plan = args.plan;
  const GemmProblem& problem = plan.problem;
  const int64_t panels = ceil_div(problem.m, Blocking<T>::kRows);
  const int64_t row_parts = ceil_div(panels, plan.mc), col_parts = ceil_div(problem.n, plan.nc);
  const int64_t groups = plan.units / (row_parts * col_parts);
  const T* scratch = static_cast<const T*>(args.scratch);
  const T* a_packed = plan.pack_units && !plan.packs_b ? scratch : nullptr;
  const int64_t a_bytes = a_packed ? packed_a_bytes<T>(problem) : 0;
  const int64_t b_bytes = (plan.scratch_bytes - a_bytes) / plan.units;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t group = unit / (row_parts * col_parts), cell = unit % (row_parts * col_parts);
    Part part;
    part.panel = cell % row_parts * plan.mc;
    part.panels = least(plan.mc, panels - part.panel);
    part.col = cell / row_parts * plan.nc;
    part.cols = least(plan.nc, problem.n - part.col);
    part.scratch = static_cast<char*>(args.scratch) + a_bytes + unit * b_bytes;
    const int64_t last = (group + 1) * problem.batch / groups;
    for (int64_t index = group * problem.batch / groups; index < last; ++index) {
      const Product<T> q(args, index);
      run_part(args, q, part, a_packed, problem.prepacked_b ? q.b : plan.packs_b ? scratch : nullptr);
    }
  }
}

template <class T>
void pack_a_panels(const GemmArgs& args, int64_t begin, int64_t end) {
  const Product<T> q(args, 0);
  const Panels panels(q.m, Blocking<T>::kRows);
  T* out = static_cast<T*>(args.scratch);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = panels.row(i);
    pack_a(q, row, 0, q.k, panels.height(i), out + row * q.k);
  }
}

template <class T>
void pack_b_panels(const PackBArgs& args, int64_t begin, int64_t end) {
  constexpr int kNr = Blocking<T>::kNr;
  const T* b = static_cast<const T*>(args.b);
  T* packed = static_cast<T*>(args.packed);
  if (args.n == 1) {  // a column: the dot and vector paths want it contiguous
    const int64_t step = args.trans_b ? 1 : args.ldb;
    for (int64_t p = 0; p < args.k; ++p) packed[p] = b[p * step];
    return;
  }
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t j = unit * kNr;
    const int cols = static_cast<int>(least(kNr, args.n - j));
    if (args.trans_b) {
      pack_b_columns(b + j * args.ldb, args.ldb, args.k, cols, packed + j * args.k);
    } else {
      pack_b_rows(b + j, args.ldb, args.k, cols, packed + j * args.k);
    }
  }
}

template void run_panels<float>(const GemmArgs&, int64_t, int64_t);
template void run_panels<double>(const GemmArgs&, int64_t, int64_t);
template void pack_a_panels<float>(const GemmArgs&, int64_t, int64_t);
template void pack_a_panels<double>(const GemmArgs&, int64_t, int64_t);
template void pack_b_panels<float>(const PackBArgs&, int64_t, int64_t);
template void pack_b_panels<double>(const PackBArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
