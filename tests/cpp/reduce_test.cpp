// Reductions and scans: every ISA against the fixed tree of kernels/reduce.h, written out element by element.
#include "kernels/reduce.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "check.h"
#include "kernel_fixtures.h"
#include "kernels/kernels.h"

using namespace falconet;
using namespace fixtures;

namespace {

struct Problem {
  int64_t outer, reduced, inner;
};
// Blocks and lanes that are full, short by one, one over; several groups along both kinds of axis; strips.
const Problem kProblems[] = {{1, 1, 1},     {1, 100, 1},   {7, 5, 1},     {3, 31, 1},     {3, 33, 1},  {2, 4096, 1},
                             {2, 4097, 1},  {1, 12289, 1}, {3, 65537, 1}, {1, 200001, 1}, {1, 100, 5}, {1, 1024, 64},
                             {2, 129, 300}, {1, 20000, 3}, {5, 7, 17},    {1, 128, 512},  {3, 1, 4},   {1, 300, 16},
                             {1, 70001, 2}, {70, 257, 2},  {1, 8300, 259}};

template <class T>
using Combine = std::function<T(T, T)>;

template <class T>
T level_by_level(std::vector<T> v, const Combine<T>& f) {
  while (v.size() > 1) {
    std::vector<T> next;
    for (size_t i = 0; i + 1 < v.size(); i += 2) next.push_back(f(v[i], v[i + 1]));
    if (v.size() % 2) next.push_back(v.back());
    v = next;
  }
  return v[0];
}

// x[at(0)], x[at(1)], ...: one output of the reduction.
template <class T>
T tree(int64_t n, bool columns, T identity, const Combine<T>& f, const std::function<T(int64_t)>& x) {
  const int64_t size = columns ? kReduceRows : kReduceBlock, lanes = columns ? 1 : 128 / int64_t{sizeof(T)};
  std::vector<T> blocks;
  for (int64_t at = 0; at < n; at += size) {
    std::vector<T> lane(static_cast<size_t>(lanes), identity);
    for (int64_t i = at; i < std::min(n, at + size); ++i) {
      T& l = lane[static_cast<size_t>((i - at) % lanes)];
      l = f(l, x(i));
    }
    for (int64_t h = lanes / 2; h > 0; h /= 2) {
      for (int64_t j = 0; j < h; ++j)
        lane[static_cast<size_t>(j)] = f(lane[static_cast<size_t>(j)], lane[static_cast<size_t>(j + h)]);
    }
    blocks.push_back(lane[0]);
  }
  return level_by_level(blocks, f);
}

template <class T>
std::vector<T> reduce(const Kernels& k, ReduceOp op, Lane lane, const Problem& p, const T* x, Split split) {
  ReduceArgs a;
  a.plan = reduce_plan(op, lane, p.outer, p.reduced, p.inner);
  Guarded<T> y(p.outer * p.inner);
  Guarded<char> scratch(a.plan.scratch_bytes);
  a.x = x;
  a.y = y.data();
  a.scratch = scratch.data();
  const auto run = k.reduce.run[static_cast<int>(op)][static_cast<int>(lane)];
  const auto combine = k.reduce.combine[static_cast<int>(op)][static_cast<int>(lane)];
  run_units(run, &a, a.plan.units, split);
  run_units(combine, &a, a.plan.combine_units, split);
  CHECK(y.intact());
  CHECK(scratch.intact());
  return y.values();
}

template <class T>
void check_reduce(ReduceOp op, Lane lane, T identity, const Combine<T>& f, double low, double high, bool nans = false) {
  Random random(static_cast<uint64_t>(op) * 16 + static_cast<uint64_t>(lane));
  for (const Problem& p : kProblems) {
    std::vector<T> x = random.values<T>(p.outer * p.reduced * p.inner + 1, low, high);
    if constexpr (std::is_floating_point_v<T>) {
      for (size_t i = 5; nans && i < x.size(); i += 997) x[i] = std::numeric_limits<T>::quiet_NaN();
    }
    const T* start = x.data() + 1;  // not aligned to a vector
    for (const Kernels* k : available_kernels()) {
      const std::vector<T> y = reduce(*k, op, lane, p, start, Split::all);
      const std::vector<T> apart = reduce(*k, op, lane, p, start, Split::units_backwards);
      for (int64_t o = 0; o < p.outer; ++o) {
        for (int64_t i = 0; i < p.inner; ++i) {
          const T want = tree<T>(p.reduced, p.inner > 1, identity, f,
                                 [&](int64_t j) { return start[(o * p.reduced + j) * p.inner + i]; });
          const T got = y[static_cast<size_t>(o * p.inner + i)];
          if (!(check::same_bits(got, want) || (got != got && want != want))) {
            check::fail(k->isa, static_cast<int>(p.reduced),
                        check::text_of(got) + ", not " + check::text_of(want) + ", inner " + check::text_of(p.inner));
          }
          CHECK(check::same_bits(got, apart[static_cast<size_t>(o * p.inner + i)]));
        }
      }
    }
  }
}

template <class T>
T nan_min(T a, T b) {
  return b < a || b != b ? b : a;
}
template <class T>
T nan_max(T a, T b) {
  return b > a || b != b ? b : a;
}
int32_t wrap32(int64_t v) { return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(v))); }

}  // namespace

TEST(sum_follows_the_tree) {
  check_reduce<float>(ReduceOp::sum, Lane::f32, 0, std::plus<float>(), -1e3, 1e3);
  check_reduce<double>(ReduceOp::sum, Lane::f64, 0, std::plus<double>(), -1e3, 1e3);
}

// With many rows of output a row is not cut into groups; its bits stay.
TEST(a_row_does_not_depend_on_the_number_of_rows) {
  const int64_t n = 65537, rows = 64;
  const std::vector<float> x = Random(5).values<float>(rows * n, -1, 1);
  CHECK(reduce_plan(ReduceOp::sum, Lane::f32, 1, n, 1).groups > 1);
  CHECK_EQ(reduce_plan(ReduceOp::sum, Lane::f32, rows, n, 1).groups, 1);
  for (const Kernels* k : available_kernels()) {
    const std::vector<float> y = reduce(*k, ReduceOp::sum, Lane::f32, {rows, n, 1}, x.data(), Split::all);
    for (int64_t r = 0; r < rows; r += 9) {
      const float alone = reduce(*k, ReduceOp::sum, Lane::f32, {1, n, 1}, x.data() + r * n, Split::all)[0];
      CHECK(check::same_bits(alone, y[static_cast<size_t>(r)]));
    }
  }
}

TEST(sum_of_integers_wraps) {
  check_reduce<int32_t>(
      ReduceOp::sum, Lane::i32, 0, [](int32_t a, int32_t b) { return wrap32(int64_t{a} + b); }, -2e9, 2e9);
  check_reduce<uint64_t>(ReduceOp::sum, Lane::u64, 0, std::plus<uint64_t>(), 0, 1.8e19);
  check_reduce<int64_t>(ReduceOp::sum, Lane::i64, 0, std::plus<int64_t>(), -1e9, 1e9);
}

TEST(prod_follows_the_tree) {
  check_reduce<float>(ReduceOp::prod, Lane::f32, 1, std::multiplies<float>(), 0.9, 1.1);
  check_reduce<double>(ReduceOp::prod, Lane::f64, 1, std::multiplies<double>(), 0.9, 1.1);
  check_reduce<int32_t>(
      ReduceOp::prod, Lane::i32, 1, [](int32_t a, int32_t b) { return wrap32(int64_t{a} * b); }, -9, 9);
  check_reduce<uint64_t>(ReduceOp::prod, Lane::u64, 1, std::multiplies<uint64_t>(), 1, 9);
}

TEST(min_and_max) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const bool nans : {false, true}) {
    check_reduce<float>(ReduceOp::min, Lane::f32, inf, nan_min<float>, -1e3, 1e3, nans);
    check_reduce<float>(ReduceOp::max, Lane::f32, -inf, nan_max<float>, -1e3, 1e3, nans);
    check_reduce<double>(ReduceOp::min, Lane::f64, inf, nan_min<double>, -1e3, 1e3, nans);
    check_reduce<double>(ReduceOp::max, Lane::f64, -inf, nan_max<double>, -1e3, 1e3, nans);
  }
  check_reduce<int32_t>(ReduceOp::min, Lane::i32, INT32_MAX, nan_min<int32_t>, -2e9, 2e9);
  check_reduce<int32_t>(ReduceOp::max, Lane::i32, INT32_MIN, nan_max<int32_t>, -2e9, 2e9);
  check_reduce<int64_t>(ReduceOp::min, Lane::i64, INT64_MAX, nan_min<int64_t>, -9e18, 9e18);
  check_reduce<int64_t>(ReduceOp::max, Lane::i64, INT64_MIN, nan_max<int64_t>, -9e18, 9e18);
  check_reduce<uint64_t>(ReduceOp::min, Lane::u64, UINT64_MAX, nan_min<uint64_t>, 0, 1.8e19);
  check_reduce<uint64_t>(ReduceOp::max, Lane::u64, 0, nan_max<uint64_t>, 0, 1.8e19);
}

template <class T>
static void check_arg(ReduceOp op, Lane lane, double low, double high, bool nans) {
  const bool is_min = op == ReduceOp::argmin;
  Random random(7);
  for (const Problem& p : kProblems) {
    for (const bool wide : {false, true}) {
      // Small ranges make ties.
      std::vector<T> x = random.values<T>(p.outer * p.reduced * p.inner, low, high);
      if constexpr (std::is_floating_point_v<T>) {
        for (T& v : x) v = std::floor(v);
        for (size_t i = 3; nans && i < x.size(); i += 1009) x[i] = std::numeric_limits<T>::quiet_NaN();
      }
      for (const Kernels* k : available_kernels()) {
        ReduceArgs a;
        a.plan = reduce_plan(op, lane, p.outer, p.reduced, p.inner, wide);
        Guarded<char> y(p.outer * p.inner * (wide ? 8 : 4)), scratch(a.plan.scratch_bytes);
        a.x = x.data();
        a.y = y.data();
        a.scratch = scratch.data();
        run_units(k->reduce.run[static_cast<int>(op)][static_cast<int>(lane)], &a, a.plan.units,
                  Split::units_backwards);
        run_units(k->reduce.combine[static_cast<int>(op)][static_cast<int>(lane)], &a, a.plan.combine_units,
                  Split::all);
        CHECK(y.intact() && scratch.intact());
        for (int64_t o = 0; o < p.outer; ++o) {
          for (int64_t i = 0; i < p.inner; ++i) {
            const auto at = [&](int64_t j) { return x[static_cast<size_t>((o * p.reduced + j) * p.inner + i)]; };
            int64_t best = 0;
            for (int64_t j = 1; j < p.reduced; ++j) {
              const T v = at(j), b = at(best);
              if (b == b && (v != v || (is_min ? v < b : v > b))) best = j;
            }
            const int64_t to = o * p.inner + i;
            const int64_t got =
                wide ? reinterpret_cast<int64_t*>(y.data())[to] : reinterpret_cast<int32_t*>(y.data())[to];
            CHECK_EQ(got, best);
          }
        }
      }
    }
  }
}

TEST(argmin_and_argmax_give_the_first) {
  for (const ReduceOp op : {ReduceOp::argmin, ReduceOp::argmax}) {
    check_arg<float>(op, Lane::f32, -50, 50, false);
    check_arg<float>(op, Lane::f32, -50, 50, true);
    check_arg<double>(op, Lane::f64, -50, 50, true);
    check_arg<int32_t>(op, Lane::i32, -9, 9, false);
    check_arg<int64_t>(op, Lane::i64, -9, 9, false);
    check_arg<uint64_t>(op, Lane::u64, 0, 1.8e19, false);
  }
}

TEST(any_and_all) {
  Random random(3);
  for (const Problem& p : kProblems) {
    for (const double share : {0.0, 0.001, 0.5, 0.999, 1.0}) {
      std::vector<uint8_t> x(static_cast<size_t>(p.outer * p.reduced * p.inner));
      for (uint8_t& v : x) v = random.uniform(0, 1) < share;
      for (const Kernels* k : available_kernels()) {
        for (const ReduceOp op : {ReduceOp::any, ReduceOp::all}) {
          const std::vector<uint8_t> y = reduce(*k, op, Lane::mask, p, x.data(), Split::units_backwards);
          for (int64_t o = 0; o < p.outer; ++o) {
            for (int64_t i = 0; i < p.inner; ++i) {
              bool want = op == ReduceOp::all;
              for (int64_t j = 0; j < p.reduced; ++j) {
                const bool v = x[static_cast<size_t>((o * p.reduced + j) * p.inner + i)];
                want = op == ReduceOp::all ? want && v : want || v;
              }
              CHECK_EQ(int{y[static_cast<size_t>(o * p.inner + i)]}, int{want});
            }
          }
        }
      }
    }
  }
}

// A tile program that feeds a reduction in tiles of 256 lanes gives the bits of the kernel.
TEST(pieces_give_the_bits_of_the_kernel) {
  Random random(11);
  for (const int64_t n : {1, 31, 256, 300, 4096, 4097, 9000, 70000}) {
    const std::vector<float> x = random.values<float>(n, -1e3, 1e3);
    for (const Kernels* k : available_kernels()) {
      for (const ReduceOp op : {ReduceOp::sum, ReduceOp::prod, ReduceOp::min, ReduceOp::max}) {
        const ReducePieces& pieces = k->reduce.pieces[static_cast<int>(op)][static_cast<int>(Lane::f32)];
        std::vector<float> partial;
        for (int64_t block = 0; block < n; block += kReduceBlock) {
          alignas(64) char acc[kReduceLaneBytes];
          pieces.start(acc);
          const int64_t end = std::min(n, block + kReduceBlock);
          for (int64_t at = block; at < end; at += 256) {
            pieces.accumulate(acc, x.data() + at, std::min<int64_t>(256, end - at));
          }
          partial.push_back(0);
          pieces.finish(acc, &partial.back());
        }
        pieces.combine(partial.data(), static_cast<int64_t>(partial.size()));
        CHECK(check::same_bits(partial[0], reduce(*k, op, Lane::f32, {1, n, 1}, x.data(), Split::all)[0]));
      }
    }
  }
}

TEST(combine_rows_gives_the_bits_of_the_kernel) {
  Random random(12);
  const int64_t rows = 1000, width = 37;
  const std::vector<double> x = random.values<double>(rows * width, -1, 1);
  for (const Kernels* k : available_kernels()) {
    std::vector<double> partial;
    for (int64_t block = 0; block < rows; block += kReduceRows) {
      std::vector<double> row(width, 0.0);
      for (int64_t r = block; r < std::min(rows, block + kReduceRows); ++r) {
        for (int64_t j = 0; j < width; ++j) row[static_cast<size_t>(j)] += x[static_cast<size_t>(r * width + j)];
      }
      partial.insert(partial.end(), row.begin(), row.end());
    }
    const auto sum = static_cast<int>(ReduceOp::sum), f64 = static_cast<int>(Lane::f64);
    k->reduce.pieces[sum][f64].combine_rows(partial.data(), static_cast<int64_t>(partial.size()) / width, width);
    const std::vector<double> want = reduce(*k, ReduceOp::sum, Lane::f64, {1, rows, width}, x.data(), Split::all);
    for (size_t j = 0; j < want.size(); ++j) CHECK(check::same_bits(partial[j], want[j]));
  }
}

TEST(pieces_of_masks) {
  std::vector<int32_t> x(100, 0);
  for (const Kernels* k : available_kernels()) {
    for (const int32_t hit : {0, -1}) {
      x[99] = hit;
      alignas(64) char acc[kReduceLaneBytes];
      int32_t got = 5;
      const ReducePieces& any = k->reduce.pieces[static_cast<int>(ReduceOp::any)][static_cast<int>(Lane::mask)];
      any.start(acc);
      any.accumulate(acc, x.data(), 100);
      any.finish(acc, &got);
      CHECK_EQ(got, hit);
      const ReducePieces& all = k->reduce.pieces[static_cast<int>(ReduceOp::all)][static_cast<int>(Lane::mask)];
      all.start(acc);
      all.accumulate(acc, x.data() + 99, 1);
      all.finish(acc, &got);
      CHECK_EQ(got, hit);
    }
  }
}

template <class T>
static void check_scan(ScanOp op, Lane lane, T identity, const Combine<T>& f, double low, double high) {
  Random random(21);
  for (const Problem& p : {Problem{1, 1, 1}, {3, 100, 1}, {2, 9, 70}, {4, 5, 3}}) {
    const std::vector<T> x = random.values<T>(p.outer * p.reduced * p.inner, low, high);
    for (const Kernels* k : available_kernels()) {
      for (const int flags : {0, 1, 2, 3}) {
        ScanArgs a;
        a.outer = p.outer;
        a.n = p.reduced;
        a.inner = p.inner;
        a.reverse = flags & 1;
        a.exclusive = flags & 2;
        Guarded<T> y(x);
        a.x = flags & 1 ? y.data() : x.data();  // in place as well
        a.y = y.data();
        run_units(k->reduce.scan[static_cast<int>(op)][static_cast<int>(lane)], &a, scan_units(p.outer, p.inner),
                  Split::units_backwards);
        CHECK(y.intact());
        for (int64_t o = 0; o < p.outer; ++o) {
          for (int64_t i = 0; i < p.inner; ++i) {
            T acc = identity;
            for (int64_t j = 0; j < p.reduced; ++j) {
              const int64_t from = a.reverse ? p.reduced - 1 - j : j;
              const auto at = static_cast<size_t>((o * p.reduced + from) * p.inner + i);
              const T next = f(acc, x[at]);
              CHECK(check::same_bits(y[at], a.exclusive ? acc : next));
              acc = next;
            }
          }
        }
      }
    }
  }
}

TEST(scans_are_chains) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  check_scan<float>(ScanOp::sum, Lane::f32, 0, std::plus<float>(), -1, 1);
  check_scan<double>(ScanOp::prod, Lane::f64, 1, std::multiplies<double>(), 0.5, 1.5);
  check_scan<float>(ScanOp::max, Lane::f32, -inf, nan_max<float>, -1, 1);
  check_scan<double>(ScanOp::min, Lane::f64, inf, nan_min<double>, -1, 1);
  check_scan<int32_t>(
      ScanOp::sum, Lane::i32, 0, [](int32_t a, int32_t b) { return wrap32(int64_t{a} + b); }, -2e9, 2e9);
  check_scan<uint64_t>(ScanOp::max, Lane::u64, 0, nan_max<uint64_t>, 0, 1.8e19);
}
