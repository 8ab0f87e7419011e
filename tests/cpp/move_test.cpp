// Data movement: every ISA against loops over multi-indices.
#include "kernels/move.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "check.h"
#include "kernel_fixtures.h"
#include "kernels/kernels.h"

using namespace falconet;
using namespace fixtures;

namespace {

using Dims = std::vector<int64_t>;

struct Copy {
  Dims dims, x_stride, y_stride;
  int64_t x_start = 0, y_start = 0;  // element of multi-index 0
};

// Calls f(x element, y element) for every multi-index.
void for_elements(const Copy& c, const std::function<void(int64_t, int64_t)>& f) {
  Dims at(c.dims.size(), 0);
  for (;;) {
    int64_t x = c.x_start, y = c.y_start;
    for (size_t i = 0; i < at.size(); ++i) {
      x += at[i] * c.x_stride[i];
      y += at[i] * c.y_stride[i];
    }
    f(x, y);
    size_t i = at.size();
    while (i > 0 && ++at[i - 1] == c.dims[i - 1]) at[--i] = 0;
    if (i == 0) return;
  }
}

template <class T>
void check_copy(const Copy& c) {
  int64_t x_size = 0, y_size = 0;
  for_elements(c, [&](int64_t x, int64_t y) {
    x_size = std::max(x_size, x + 1);
    y_size = std::max(y_size, y + 1);
  });
  std::vector<T> x(static_cast<size_t>(x_size)), want(static_cast<size_t>(y_size), T{77});
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 2654435761u >> 3);
  for_elements(c, [&](int64_t from, int64_t to) { want[static_cast<size_t>(to)] = x[static_cast<size_t>(from)]; });
  for (const Kernels* k : available_kernels()) {
    for (const Split split : {Split::all, Split::units_backwards}) {
      Guarded<T> y(std::vector<T>(static_cast<size_t>(y_size), T{77}));
      CopyArgs a = copy_plan(static_cast<int>(c.dims.size()), c.dims.data(), c.x_stride.data(), c.y_stride.data());
      a.x = x.data() + c.x_start;
      a.y = y.data() + c.y_start;
      run_units(k->move.copy[element_size_log2(sizeof(T))], &a, a.units, split);
      CHECK(y.intact());
      CHECK(y.values() == want);
    }
  }
}

Dims contiguous(const Dims& dims) {
  Dims s(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) s[i - 1] = s[i] * dims[i];
  return s;
}

// y = transpose(x, axes)
Copy transposition(const Dims& x_dims, const std::vector<size_t>& axes) {
  const Dims xs = contiguous(x_dims);
  Copy c;
  for (const size_t axis : axes) {
    c.dims.push_back(x_dims[axis]);
    c.x_stride.push_back(xs[axis]);
  }
  c.y_stride = contiguous(c.dims);
  return c;
}

template <class Index>
std::vector<Index> indices(Random& random, int64_t m, int64_t n) {
  std::vector<Index> v;
  for (int64_t j = 0; j < m; ++j) v.push_back(static_cast<Index>(random.below(2 * n) - n));
  return v;
}
int64_t wrap(int64_t i, int64_t n) { return i < 0 ? i + n : i; }

}  // namespace

TEST(strided_copies) {
  std::vector<Copy> copies;
  for (const int64_t n : {1, 7, 16, 31, 64, 65, 200}) {
    copies.push_back(transposition({n, 3}, {1, 0}));
    copies.push_back(transposition({n, 65}, {1, 0}));
  }
  copies.push_back(transposition({1000, 333}, {1, 0}));
  copies.push_back(transposition({3, 17, 33, 5}, {0, 2, 1, 3}));
  copies.push_back(transposition({3, 17, 33, 3}, {0, 3, 1, 2}));  // NHWC to NCHW
  copies.push_back(transposition({3, 3, 17, 33}, {0, 2, 3, 1}));  // and back
  copies.push_back(transposition({2, 3, 4, 5, 2, 3, 2, 3}, {7, 6, 5, 4, 3, 2, 1, 0}));
  copies.push_back(transposition({40, 50, 60}, {2, 0, 1}));
  copies.push_back({{100000}, {1}, {1}});                   // one run, several units
  copies.push_back({{}, {}, {}});                           // a scalar
  copies.push_back({{5, 7}, {0, 1}, {7, 1}});               // rows repeated
  copies.push_back({{5, 7}, {1, 0}, {7, 1}});               // columns repeated
  copies.push_back({{5, 7}, {0, 0}, {7, 1}});               // a scalar everywhere
  copies.push_back({{50, 7}, {-7, -1}, {7, 1}, 349, 0});    // flipped
  copies.push_back({{50, 70}, {70, 1}, {100, 1}, 0, 205});  // into the middle of a padded array
  copies.push_back({{50, 7}, {100, 2}, {7, 1}, 3, 0});      // every second element
  copies.push_back({{30}, {31}, {1}});                      // a diagonal out
  copies.push_back({{30}, {1}, {31}});                      // and in
  copies.push_back({{20, 30}, {1, 40}, {-30, 1}, 0, 570});  // transposed and flipped
  for (const Copy& c : copies) {
    check_copy<uint8_t>(c);
    check_copy<uint16_t>(c);
    check_copy<uint32_t>(c);
    check_copy<uint64_t>(c);
  }
}

TEST(fill_writes_the_bits) {
  for (const Kernels* k : available_kernels()) {
    for (const int64_t n : {1, 5, 8192, 8193, 20000}) {
      Guarded<uint32_t> y(n);
      const FillArgs a{n, 0x3F800000u, y.data()};
      run_units(k->move.fill[2], &a, fill_units(n), Split::units_backwards);
      CHECK(y.intact());
      CHECK(y.values() == std::vector<uint32_t>(static_cast<size_t>(n), 0x3F800000u));
      Guarded<uint8_t> bytes(n);
      const FillArgs b{n, 200, bytes.data()};
      run_units(k->move.fill[0], &b, fill_units(n), Split::all);
      CHECK(bytes.intact());
      CHECK(bytes.values() == std::vector<uint8_t>(static_cast<size_t>(n), 200));
    }
  }
}

template <class Index>
static void check_gather(const Kernels& k, int64_t outer, int64_t n, int64_t m, int64_t run) {
  Random random(1);
  const std::vector<uint8_t> x = random.values<uint8_t>(outer * n * run, 0, 255);
  for (const bool bad : {false, true}) {
    std::vector<Index> index = indices<Index>(random, m, n);
    if (bad) index[static_cast<size_t>(m / 2)] = static_cast<Index>(m % 2 ? n : -n - 1);
    Guarded<uint8_t> y(outer * m * run);
    int32_t error = 0;
    GatherArgs a{outer, n, m, run, sizeof(Index) == 8, x.data(), index.data(), y.data(), &error};
    run_units(k.move.gather, &a, outer * m, Split::units_backwards);
    run_units(k.move.gather, &a, outer * m, Split::all);
    CHECK(y.intact());
    CHECK_EQ(error, int{bad});
    const std::vector<uint8_t> got = y.values();
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t j = 0; j < m; ++j) {
        const int64_t i = wrap(index[static_cast<size_t>(j)], n);
        for (int64_t b = 0; b < run; ++b) {
          const uint8_t want = i < 0 || i >= n ? 0 : x[static_cast<size_t>((o * n + i) * run + b)];
          CHECK_EQ(got[static_cast<size_t>((o * m + j) * run + b)], want);
        }
      }
    }
  }
}

TEST(gather_rows) {
  for (const Kernels* k : available_kernels()) {
    for (const int64_t run : {1, 4, 8, 12, 784}) {
      check_gather<int32_t>(*k, 1, 10, 7, run);
      check_gather<int64_t>(*k, 3, 5, 12, run);
      check_gather<int64_t>(*k, 2, 1, 1, run);
    }
  }
}

template <class T>
static void check_scatter(ScatterOp op, Lane lane, const std::function<T(T, T)>& f) {
  Random random(2);
  for (const Kernels* k : available_kernels()) {
    struct Size {
      int64_t outer, n, m, inner;
    };
    for (const Size& s : {Size{1, 10, 25, 1}, {2, 5, 9, 33}, {1, 300, 900, 128}, {9, 3, 4, 2}}) {
      for (const bool clear : {false, true}) {
        const std::vector<T> x = random.values<T>(s.outer * s.m * s.inner, -50, 50);
        std::vector<int64_t> index = indices<int64_t>(random, s.m, s.n);
        index[1] = s.n;  // skipped
        std::vector<T> want = random.values<T>(s.outer * s.n * s.inner, -50, 50);
        Guarded<T> y(want);
        int32_t error = 0;
        ScatterArgs a;
        a.outer = s.outer;
        a.n = s.n;
        a.m = s.m;
        a.inner = s.inner;
        a.index64 = true;
        a.clear = clear;
        a.x = x.data();
        a.index = index.data();
        a.y = y.data();
        a.error = &error;
        scatter_plan(&a);
        run_units(k->move.scatter[static_cast<int>(op)][static_cast<int>(lane)], &a, a.units, Split::units_backwards);
        if (clear) std::fill(want.begin(), want.end(), T{0});
        for (int64_t o = 0; o < s.outer; ++o) {
          for (int64_t j = 0; j < s.m; ++j) {
            const int64_t i = wrap(index[static_cast<size_t>(j)], s.n);
            for (int64_t c = 0; c < s.inner && i < s.n; ++c) {
              T& to = want[static_cast<size_t>((o * s.n + i) * s.inner + c)];
              to = f(to, x[static_cast<size_t>((o * s.m + j) * s.inner + c)]);
            }
          }
        }
        CHECK(y.intact());
        CHECK_EQ(error, 1);
        CHECK(y.values() == want);
      }
    }
  }
}

TEST(scatter_in_order) {
  check_scatter<float>(ScatterOp::add, Lane::f32, [](float a, float b) { return a + b; });
  check_scatter<double>(ScatterOp::mul, Lane::f64, [](double a, double b) { return a * b; });
  check_scatter<int32_t>(ScatterOp::min, Lane::i32, [](int32_t a, int32_t b) { return std::min(a, b); });
  check_scatter<float>(ScatterOp::max, Lane::f32, [](float a, float b) { return std::max(a, b); });
  check_scatter<int64_t>(ScatterOp::add, Lane::i64, [](int64_t a, int64_t b) { return a + b; });
}

TEST(scatter_set_keeps_the_last) {
  for (const Kernels* k : available_kernels()) {
    const std::vector<uint32_t> x = {1, 2, 3, 4, 5, 6};
    const std::vector<int32_t> index = {2, 0, -2};
    Guarded<uint32_t> y(std::vector<uint32_t>(8, 9));
    int32_t error = 0;
    ScatterArgs a;
    a.n = 4;
    a.m = 3;
    a.inner = 2;
    a.x = x.data();
    a.index = index.data();
    a.y = y.data();
    a.error = &error;
    scatter_plan(&a);
    run_units(k->move.scatter_set[2], &a, a.units, Split::all);
    CHECK(y.intact());
    CHECK_EQ(error, 0);
    CHECK(y.values() == (std::vector<uint32_t>{3, 4, 9, 9, 5, 6, 9, 9}));
  }
}

TEST(take_and_put_along_an_axis) {
  Random random(4);
  for (const Kernels* k : available_kernels()) {
    for (const int64_t inner : {1, 5}) {
      const int64_t outer = 3, n = 7, m = 11;
      const std::vector<float> x = random.values<float>(outer * n * inner, -1, 1);
      const std::vector<float> dy = random.values<float>(outer * m * inner, -1, 1);
      std::vector<int32_t> index = indices<int32_t>(random, outer * m * inner, n);
      index[4] = -8;
      Guarded<float> y(outer * m * inner), dx(outer * n * inner), put(x);
      int32_t error = 0;
      AlongArgs a;
      a.outer = outer;
      a.n = n;
      a.m = m;
      a.inner = inner;
      a.x = x.data();
      a.index = index.data();
      a.y = y.data();
      a.error = &error;
      run_units(k->move.take_along[2], &a, outer * m, Split::units_backwards);
      CHECK_EQ(error, 1);
      error = 0;
      a.clear = true;
      a.x = dy.data();
      a.y = dx.data();
      run_units(k->move.put_along_add[static_cast<int>(Lane::f32)], &a, outer, Split::units_backwards);
      CHECK_EQ(error, 1);
      a.clear = false;
      a.y = put.data();
      run_units(k->move.put_along[2], &a, outer, Split::all);
      CHECK(y.intact() && dx.intact() && put.intact());
      std::vector<float> want_dx(x.size(), 0), want_put = x;
      for (int64_t o = 0; o < outer; ++o) {
        for (int64_t j = 0; j < m; ++j) {
          for (int64_t c = 0; c < inner; ++c) {
            const auto at = static_cast<size_t>((o * m + j) * inner + c);
            const int64_t i = wrap(index[at], n);
            const auto from = static_cast<size_t>((o * n + i) * inner + c);
            CHECK_EQ(y[at], i < 0 ? 0.0f : x[from]);
            if (i < 0) continue;
            want_dx[from] += dy[at];
            want_put[from] = dy[at];
          }
        }
      }
      CHECK(dx.values() == want_dx);
      CHECK(put.values() == want_put);
    }
  }
}

TEST(one_hot_rows) {
  for (const Kernels* k : available_kernels()) {
    const std::vector<int64_t> index = {0, 3, 2, 4, -1};
    Guarded<float> y(20);
    OneHotArgs a;
    a.depth = 4;
    a.index64 = true;
    a.on = 0x3F800000u;
    a.off = 0;
    a.index = index.data();
    a.y = y.data();
    run_units(k->move.one_hot[2], &a, 5, Split::units_backwards);
    CHECK(y.intact());
    CHECK(y.values() == (std::vector<float>{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  }
}

TEST(triangles) {
  Random random(5);
  const int64_t batch = 2, rows = 5, columns = 7;
  const std::vector<uint16_t> x = random.values<uint16_t>(batch * rows * columns, 1, 60000);
  for (const Kernels* k : available_kernels()) {
    for (int64_t diagonal = -6; diagonal <= 8; ++diagonal) {
      for (const bool lower : {false, true}) {
        Guarded<uint16_t> y(x), apart(static_cast<int64_t>(x.size()));
        TriangleArgs a{rows, columns, diagonal, lower, y.data(), y.data()};
        run_units(k->move.triangle[1], &a, batch * rows, Split::units_backwards);
        a.x = x.data();
        a.y = apart.data();
        run_units(k->move.triangle[1], &a, batch * rows, Split::all);
        CHECK(y.intact() && apart.intact());
        CHECK(y.values() == apart.values());
        for (int64_t i = 0; i < batch * rows * columns; ++i) {
          const int64_t d = i % columns - i / columns % rows;
          const bool kept = lower ? d <= diagonal : d >= diagonal;
          CHECK_EQ(y[static_cast<size_t>(i)], kept ? x[static_cast<size_t>(i)] : 0);
        }
      }
    }
  }
}

TEST(bincount_leaves_out_what_does_not_fit) {
  for (const Kernels* k : available_kernels()) {
    const std::vector<int32_t> x = {0, 1, 1, 5, -1, 2, 2, 2, 2, 9};
    Guarded<int32_t> y(6);
    const BincountArgs a{5, 3, false, x.data(), y.data()};
    run_units(k->move.bincount, &a, 2, Split::units_backwards);
    CHECK(y.intact());
    CHECK(y.values() == (std::vector<int32_t>{1, 2, 0, 0, 0, 4}));
  }
}

TEST(nonzero_fills_up_and_leaves_out) {
  const std::vector<uint8_t> x = {0, 1, 0, 1, 1, 0};  // (2, 3)
  for (const Kernels* k : available_kernels()) {
    for (const int64_t size : {0, 2, 3, 5}) {
      Guarded<int64_t> y(2 * size);
      int64_t found = -1;
      NonzeroArgs a;
      a.rank = 2;
      a.dims[0] = 2;
      a.dims[1] = 3;
      a.size = size;
      a.fill = -1;
      a.x = x.data();
      a.y = y.data();
      a.found = &found;
      k->move.nonzero(&a, 0, 1);
      CHECK(y.intact());
      CHECK_EQ(found, 3);
      const int64_t rows[] = {0, 1, 1, -1, -1}, columns[] = {1, 0, 1, -1, -1};
      for (int64_t j = 0; j < size; ++j) {
        CHECK_EQ(y[static_cast<size_t>(j)], rows[j]);
        CHECK_EQ(y[static_cast<size_t>(size + j)], columns[j]);
      }
    }
  }
}

TEST(pad_index_maps) {
  const auto map = [](PadMode mode, int64_t n) {
    Dims index(static_cast<size_t>(n + 5));
    pad_index_map(mode, n, 3, 2, index.data());
    return index;
  };
  CHECK(map(PadMode::reflect, 3) == (Dims{1, 2, 1, 0, 1, 2, 1, 0}));
  CHECK(map(PadMode::symmetric, 3) == (Dims{2, 1, 0, 0, 1, 2, 2, 1}));
  CHECK(map(PadMode::edge, 3) == (Dims{0, 0, 0, 0, 1, 2, 2, 2}));
  CHECK(map(PadMode::wrap, 3) == (Dims{0, 1, 2, 0, 1, 2, 0, 1}));
  CHECK(map(PadMode::symmetric, 1) == (Dims{0, 0, 0, 0, 0, 0}));
}
