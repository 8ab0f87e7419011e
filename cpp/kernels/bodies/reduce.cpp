// Reductions: the table of kernels/reduce.h. What a block is and how blocks combine is in reduce_ops.h.
#include "kernels/reduce.h"

#include "kernels/bodies/reduce_arg.h"
#include "kernels/bodies/reduce_columns.h"
#include "kernels/bodies/reduce_ops.h"
#include "kernels/bodies/scan.h"

namespace falconet::FALCONET_ISA {
namespace {

// Where a unit of `run` lies: rows [row, row + rows) of `reduced`, columns [column, column + columns) of `inner`.
struct Part {
  int64_t outer, group, row, rows, column, columns;
};
FALCONET_INLINE Part part_of(const ReducePlan& p, int64_t unit) {
  Part part;
  part.column = unit % p.strips * p.strip_size;
  part.group = unit / p.strips % p.groups;
  part.outer = unit / p.strips / p.groups;
  part.row = part.group * p.group_size;
  part.rows = p.reduced - part.row < p.group_size ? p.reduced - part.row : p.group_size;
  part.columns = p.inner - part.column < p.strip_size ? p.inner - part.column : p.strip_size;
  return part;
}

template <class Op>
void run(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(p.groups == 1 ? a.y : a.scratch);
  if (p.inner == 1) {  // rows may be short: no divisions where one group is all there is
    int64_t o = p.groups == 1 ? begin : begin / p.groups, group = begin - o * p.groups;
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t row = group * p.group_size;
      y[unit] =
          reduce_span<Op>(x + o * p.reduced + row, p.reduced - row < p.group_size ? p.reduced - row : p.group_size);
      if (++group == p.groups) {
        group = 0;
        ++o;
      }
    }
    return;
  }
  for (int64_t unit = begin; unit < end; ++unit) {
    const Part part = part_of(p, unit);
    reduce_columns<Op>(x + (part.outer * p.reduced + part.row) * p.inner + part.column, part.rows, p.inner,
                       part.columns, y + (part.outer * p.groups + part.group) * p.inner + part.column);
  }
}

template <class Op>
void combine(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t o = unit / p.strips, column = unit % p.strips * p.strip_size;
    const int64_t columns = p.inner - column < p.strip_size ? p.inner - column : p.strip_size;
    T* partial = static_cast<T*>(a.scratch) + o * p.groups * p.inner + column;
    combine_rows<Op>(partial, p.groups, columns, p.inner);
    memcpy(static_cast<T*>(a.y) + o * p.inner + column, partial, static_cast<size_t>(columns) * sizeof(T));
  }
}

FALCONET_INLINE void store_index(const ReduceArgs& a, int64_t at, int64_t index) {
  if (a.plan.index64) {
    static_cast<int64_t*>(a.y)[at] = index;
  } else {
    static_cast<int32_t*>(a.y)[at] = static_cast<int32_t>(index);
  }
}

template <class Op>
void run_arg(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  const T* x = static_cast<const T*>(a.x);
  Found<T>* partial = static_cast<Found<T>*>(a.scratch);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Part part = part_of(p, unit);
    const T* from = x + (part.outer * p.reduced + part.row) * p.inner + part.column;
    const int64_t to = (part.outer * p.groups + part.group) * p.inner + part.column;
    T value[kMaxStrip<T>];
    typename IndexOf<T>::type index[kMaxStrip<T>];
    if (p.inner == 1) {
      const Found<T> best = part.rows <= kArgScalar ? arg_short<Op>(from, part.rows) : arg_span<Op>(from, part.rows);
      if (p.groups == 1) {
        store_index(a, to, best.index);
      } else {
        partial[to] = {part.row + best.index, best.value};
      }
      continue;
    }
    arg_columns<Op>(from, part.rows, p.inner, part.columns, value, index);
    for (int64_t j = 0; j < part.columns; ++j) {
      if (p.groups == 1) {
        store_index(a, to + j, index[j]);
      } else {
        partial[to + j] = {part.row + index[j], value[j]};
      }
    }
  }
}

template <class Op>
void combine_arg(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t o = unit / p.strips, column = unit % p.strips * p.strip_size;
    const int64_t columns = p.inner - column < p.strip_size ? p.inner - column : p.strip_size;
    for (int64_t j = column; j < column + columns; ++j) {
      const Found<T>* partial = static_cast<const Found<T>*>(a.scratch) + o * p.groups * p.inner + j;
      Found<T> best = partial[0];
      for (int64_t g = 1; g < p.groups; ++g) {
        if (Op::better(partial[g * p.inner].value, best.value)) best = partial[g * p.inner];
      }
      store_index(a, o * p.inner + j, best.index);
    }
  }
}

// any, all on bool bytes: stops at the first byte that decides.
template <bool kAny>
void run_bool(const void* args, int64_t begin, int64_t end) {
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  const uint8_t* x = static_cast<const uint8_t*>(a.x);
  uint8_t* y = static_cast<uint8_t*>(p.groups == 1 ? a.y : a.scratch);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Part part = part_of(p, unit);
    const uint8_t* from = x + (part.outer * p.reduced + part.row) * p.inner + part.column;
    uint8_t* to = y + (part.outer * p.groups + part.group) * p.inner + part.column;
    if (p.inner == 1) {
      const bool decided = memchr(from, kAny ? 1 : 0, static_cast<size_t>(part.rows)) != nullptr;
      *to = decided == kAny;
      continue;
    }
    uint8_t acc[kMaxStrip<uint8_t>];
    memset(acc, kAny ? 0 : 1, sizeof(acc));
    for (int64_t r = 0; r < part.rows; ++r, from += p.inner) {
      for (int64_t j = 0; j < part.columns; ++j) {
        acc[j] = static_cast<uint8_t>(kAny ? acc[j] | from[j] : acc[j] & from[j]);
      }
    }
    memcpy(to, acc, static_cast<size_t>(part.columns));
  }
}

template <bool kAny>
void combine_bool(const void* args, int64_t begin, int64_t end) {
  const ReduceArgs& a = *static_cast<const ReduceArgs*>(args);
  const ReducePlan& p = a.plan;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t o = unit / p.strips, column = unit % p.strips * p.strip_size;
    const int64_t columns = p.inner - column < p.strip_size ? p.inner - column : p.strip_size;
    const uint8_t* partial = static_cast<const uint8_t*>(a.scratch) + o * p.groups * p.inner + column;
    uint8_t* y = static_cast<uint8_t*>(a.y) + o * p.inner + column;
    for (int64_t j = 0; j < columns; ++j) {
      uint8_t acc = partial[j];
      for (int64_t g = 1; g < p.groups; ++g) {
        acc = static_cast<uint8_t>(kAny ? acc | partial[g * p.inner + j] : acc & partial[g * p.inner + j]);
      }
      y[j] = acc;
    }
  }
}

template <class Op>
void piece_start(void* acc) {
  Lanes<Op> lanes;
  lanes.start();
  lanes.store(acc);
}
template <class Op>
void piece_accumulate(void* acc, const void* x, int64_t n) {
  Lanes<Op> lanes;
  lanes.load(acc);
  lanes.add(static_cast<const typename Op::T*>(x), n);
  lanes.store(acc);
}
template <class Op>
void piece_finish(const void* acc, void* y) {
  Lanes<Op> lanes;
  lanes.load(acc);
  *static_cast<typename Op::T*>(y) = lanes.fold();
}
template <class Op>
void piece_combine(void* partial, int64_t count) {
  combine_rows<Op>(static_cast<typename Op::T*>(partial), count, 1, 1);
}
template <class Op>
void piece_combine_rows(void* partial, int64_t count, int64_t width) {
  combine_rows<Op>(static_cast<typename Op::T*>(partial), count, width, width);
}
template <class Op>
constexpr ReducePieces pieces() {
  return {piece_start<Op>, piece_accumulate<Op>, piece_finish<Op>, piece_combine<Op>, piece_combine_rows<Op>};
}

}  // namespace

// uint64 wraps as int64 does. Columns: f32, f64, i32, i64, u64, mask.
extern const ReduceKernels reduce_kernels;
const ReduceKernels reduce_kernels = {
    {
        {run<Sum<float>>, run<Sum<double>>, run<Sum<int32_t>>, run<Sum<int64_t>>, run<Sum<int64_t>>, nullptr},
        {run<Prod<float>>, run<Prod<double>>, run<Prod<int32_t>>, run<Prod<int64_t>>, run<Prod<int64_t>>, nullptr},
        {run<Min<float>>, run<Min<double>>, run<Min<int32_t>>, run<Min<int64_t>>, run<UMin>, nullptr},
        {run<Max<float>>, run<Max<double>>, run<Max<int32_t>>, run<Max<int64_t>>, run<UMax>, nullptr},
        {run_arg<Min<float>>, run_arg<Min<double>>, run_arg<Min<int32_t>>, run_arg<Min<int64_t>>, run_arg<UMin>,
         nullptr},
        {run_arg<Max<float>>, run_arg<Max<double>>, run_arg<Max<int32_t>>, run_arg<Max<int64_t>>, run_arg<UMax>,
         nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr, run_bool<true>},
        {nullptr, nullptr, nullptr, nullptr, nullptr, run_bool<false>},
    },
    {
        {combine<Sum<float>>, combine<Sum<double>>, combine<Sum<int32_t>>, combine<Sum<int64_t>>, combine<Sum<int64_t>>,
         nullptr},
        {combine<Prod<float>>, combine<Prod<double>>, combine<Prod<int32_t>>, combine<Prod<int64_t>>,
         combine<Prod<int64_t>>, nullptr},
        {combine<Min<float>>, combine<Min<double>>, combine<Min<int32_t>>, combine<Min<int64_t>>, combine<UMin>,
         nullptr},
        {combine<Max<float>>, combine<Max<double>>, combine<Max<int32_t>>, combine<Max<int64_t>>, combine<UMax>,
         nullptr},
        {combine_arg<Min<float>>, combine_arg<Min<double>>, combine_arg<Min<int32_t>>, combine_arg<Min<int64_t>>,
         combine_arg<UMin>, nullptr},
        {combine_arg<Max<float>>, combine_arg<Max<double>>, combine_arg<Max<int32_t>>, combine_arg<Max<int64_t>>,
         combine_arg<UMax>, nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr, combine_bool<true>},
        {nullptr, nullptr, nullptr, nullptr, nullptr, combine_bool<false>},
    },
    {
        {scan<Sum<float>>, scan<Sum<double>>, scan<Sum<int32_t>>, scan<Sum<int64_t>>, scan<Sum<int64_t>>, nullptr},
        {scan<Prod<float>>, scan<Prod<double>>, scan<Prod<int32_t>>, scan<Prod<int64_t>>, scan<Prod<int64_t>>, nullptr},
        {scan<Max<float>>, scan<Max<double>>, scan<Max<int32_t>>, scan<Max<int64_t>>, scan<UMax>, nullptr},
        {scan<Min<float>>, scan<Min<double>>, scan<Min<int32_t>>, scan<Min<int64_t>>, scan<UMin>, nullptr},
    },
    {
        {pieces<Sum<float>>(),
         pieces<Sum<double>>(),
         pieces<Sum<int32_t>>(),
         pieces<Sum<int64_t>>(),
         pieces<Sum<int64_t>>(),
         {}},
        {pieces<Prod<float>>(),
         pieces<Prod<double>>(),
         pieces<Prod<int32_t>>(),
         pieces<Prod<int64_t>>(),
         pieces<Prod<int64_t>>(),
         {}},
        {pieces<Min<float>>(),
         pieces<Min<double>>(),
         pieces<Min<int32_t>>(),
         pieces<Min<int64_t>>(),
         pieces<UMin>(),
         {}},
        {pieces<Max<float>>(),
         pieces<Max<double>>(),
         pieces<Max<int32_t>>(),
         pieces<Max<int64_t>>(),
         pieces<UMax>(),
         {}},
        {},
        {},
        {{}, {}, {}, {}, {}, pieces<Any>()},
        {{}, {}, {}, {}, {}, pieces<All>()},
    },
};

}  // namespace falconet::FALCONET_ISA
